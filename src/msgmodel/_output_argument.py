"""Reads `output=`, and decides how each provider is asked for the format. Only a call with `output=` imports it.

Rule: what the provider does not enforce is checked here, and named in the receipt. The provider gets the schema at most
once: in a field of its own, or in the system instruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .errors import ConfigurationError
from .output.output_format import OutputFormat, read_output
from .output.sent_schema import fit_schema
from .question.config import ProviderConfig
from .question.lenient_json import as_mapping
from .question.question import AskedOutput
from .registry.output_methods import choose_output_method
from .registry.provider import Provider

_JSON_ONLY: Final = "Answer with one JSON object and nothing else: no text before or after it, and no code fence."
_SCHEMA_FOLLOWS: Final = "Your whole answer must be JSON that is valid against this JSON schema:"

_OWN_FIELDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "openai_chat": (("response_format",),),
    "openai_responses": (("text", "format"),),
    "anthropic": (("output_config", "format"), ("output_format",)),
    "gemini": tuple(
        ("generationConfig", name) for name in ("responseMimeType", "responseSchema", "responseJsonSchema")
    ),
}
"""The fields in which a body of the caller's asks for a format itself."""


def read_output_format(output: object) -> OutputFormat:
    """Return the format that the caller wants. Raise ConfigurationError."""
    try:
        return read_output(output)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def ask_for_output(
    format: OutputFormat, row: Provider, wire: str, model: str, config: ProviderConfig, *, has_tools: bool
) -> tuple[AskedOutput, str]:
    """Return the format as this provider is asked for it, and what the system instruction says of it; "" for nothing.

    Args:
        format: What the caller wants.
        row: The provider.
        wire: The wire of the question.
        model: The name of the model.
        config: The provider's config.
        has_tools: Whether the model may call tools.

    Raises:
        ConfigurationError: The provider can't be asked for it, or the config asks for another format.
    """
    _check_body(wire, config)
    chosen = choose_output_method(row, wire, model, has_schema=format.schema is not None, has_tools=has_tools)
    if format.schema is None:
        return AskedOutput(chosen.method, format.name), _JSON_ONLY
    try:
        sent = fit_schema(format.schema, chosen.dialect)
    except ValueError as error:
        raise ConfigurationError(f"output: {row.name} can't be asked for this schema: {error}") from None
    asked = AskedOutput(chosen.method, format.name, sent.schema, sent.unenforced, chosen.more_fields)
    if chosen.method == "native":
        return asked, ""
    schema = msgspec.json.encode(sent.schema).decode()
    return asked, f"{_JSON_ONLY} {_SCHEMA_FOLLOWS}\n{schema}"


def _check_body(wire: str, config: ProviderConfig) -> None:
    """Raise ConfigurationError if the body of the config asks for a format, too: only one of both could be checked."""
    for path in _OWN_FIELDS[wire]:
        inner: Any = config.body
        for name in path:
            inner = as_mapping(inner).get(name)
        if inner is not None:
            place = "".join(f"[{name!r}]" for name in path)
            raise ConfigurationError(f"output= and body{place} both ask for a format: pass one of them")
