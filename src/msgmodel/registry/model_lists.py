"""The lists of models that providers have: where each is, and what its entries say. Pure.

Rule: what a list does not say is None. A model that only embeds, draws, listens or moderates is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from ..question.lenient_json import as_count, as_mapping, as_text
from ..question.question import append_path
from .provider import Provider

_PAGE_SIZE: Final = 1000
_LISTS: Final = ("data", "models", "publisherModels")
_IDS: Final = ("id", "key", "model", "name")
_CONTEXT_FIELDS: Final = (
    *("context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens"),
    *("inputTokenLimit", "n_ctx_train"),
)
_OUTPUT_FIELDS: Final = ("max_completion_tokens", "max_output_tokens", "outputTokenLimit", "max_tokens")
_OTHER_KINDS: Final = frozenset(
    ("embedding", "embeddings", "image", "audio", "video", "transcribe", "moderation", "rerank", "speech")
)
_OTHER_NAMES: Final = re.compile(
    r"embed|whisper|dall-e|moderation|transcribe|realtime|rerank|(^|-)tts(-|$)|^sora|^gpt-image|^(babbage|davinci)-"
)
"""Names in lists that do not say what a model is for, such as OpenAI's."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a provider lists. What the provider does not say is None."""

    id: str
    """What `model=` takes."""
    name: str | None = None
    """The name for people."""
    context_tokens: int | None = None
    """Size of the context, or the most tokens of a question."""
    max_output_tokens: int | None = None
    """Maximum tokens of a reply."""
    input_price: float | None = None
    """US dollars for a million tokens of the question: the provider's own price, else that of genai-prices (extra
    `[cost]`)."""
    output_price: float | None = None
    """US dollars for a million tokens of the reply."""


def model_list_urls(row: Provider, base_url: str) -> list[str]:
    """Return the addresses at which a provider may have its list; the next one is for a server without the one before.

    The paths are from the providers' own clients and API references.
    """
    if row.wire == "anthropic":
        parts = urlsplit(base_url)
        bare = urlunsplit(parts._replace(path=parts.path.rstrip("/").removesuffix("/v1")))
        return [_with_query(append_path(bare, "v1/models"), limit=_PAGE_SIZE)]
    if row.name == "vertex":
        # Only this version has the list, and it belongs to no project.
        base_url = re.sub(r"/v1\w*/(projects/.*?/)?publishers/", "/v1beta1/publishers/", base_url)
    elif row.wire == "gemini" and not re.search(r"/v\d+\w*(/|$)", urlsplit(base_url).path):
        base_url = append_path(base_url, "v1beta")  # it has all models, v1 has not
    if row.wire == "gemini":
        return [_with_query(append_path(base_url, "models"), pageSize=_PAGE_SIZE)]
    base_url = re.sub(r"/deployments/[^/?]+", "", base_url)  # of Azure
    plain = append_path(base_url, "models")
    if row.name == "lmstudio":  # its own list has the size of the context
        return [append_path(re.sub(r"/v1/?(\?|$)", r"/api/v0\1", base_url), "models"), plain]
    if row.name == "cohere" and row.is_official_host(base_url):
        return [_with_query("https://api.cohere.com/v1/models", endpoint="chat", page_size=_PAGE_SIZE)]
    if row.name == "perplexity" and row.is_official_host(base_url):
        return [append_path(base_url, "v1/models")]
    return [plain]


def next_page_url(first_url: str, payload: object) -> str | None:
    """Return the address of the page after this one; None if it is the last."""
    page = as_mapping(payload)
    if page.get("has_more") is True and (last := as_text(page.get("last_id"))):
        return _with_query(first_url, after_id=last)
    if token := as_text(page.get("nextPageToken")):
        return _with_query(first_url, pageToken=token)
    if token := as_text(page.get("next_page_token")):
        return _with_query(first_url, page_token=token)
    return None


def read_models(payload: object) -> list[ModelInfo]:
    """Return the models of one page, which is a list or an object with a list. Raise ValueError if it has none."""
    page = as_mapping(payload)
    found = next((page[name] for name in _LISTS if isinstance(page.get(name), list)), payload)
    if not isinstance(found, list):
        raise ValueError("there is no list of models")
    return list(_models_in(found))


def _models_in(entries: list[Any]) -> Iterator[ModelInfo]:
    for entry in map(as_mapping, entries):
        id = next((as_text(entry[name]) for name in _IDS if as_text(entry.get(name))), "")
        id = re.sub(r"^(publishers/\w+/)?models/", "", id)
        if not id or not _can_be_asked(id, entry):
            continue
        top = as_mapping(entry.get("top_provider")) | as_mapping(entry.get("meta"))
        names = (as_text(entry.get(name)) for name in ("display_name", "displayName", "name"))
        input_price, output_price = _prices_of_entry(as_mapping(entry.get("pricing")))
        yield ModelInfo(
            id=id,
            name=next(filter(None, names), None),
            context_tokens=_first_count(_CONTEXT_FIELDS, entry, top),
            max_output_tokens=_first_count(_OUTPUT_FIELDS, entry, top),
            input_price=input_price,
            output_price=output_price,
        )


def _can_be_asked(id: str, entry: Mapping[str, Any]) -> bool:
    methods, capabilities = entry.get("supportedGenerationMethods"), as_mapping(entry.get("capabilities"))
    if isinstance(methods, list):
        return "generateContent" in methods
    if as_text(entry.get("type")) in _OTHER_KINDS or entry.get("lifecycle") == "retired":
        return False
    return capabilities.get("completion_chat") is not False and not _OTHER_NAMES.search(id)


def _first_count(names: tuple[str, ...], *places: Mapping[str, Any]) -> int | None:
    counts = (as_count(place.get(name)) for place in places for name in names)
    return next((count for count in counts if count), None)


def _prices_of_entry(pricing: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the dollars for a million tokens. A string is a price for one token (OpenRouter, Vercel's gateway)."""
    first, second = (
        next((pricing[name] for name in names if name in pricing), None)
        for names in (("prompt", "input"), ("completion", "output"))
    )
    return _price_of_million(first), _price_of_million(second)


def _price_of_million(value: object) -> float | None:
    try:
        price = round(float(value) * 1e6, 6) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(price, int | float) or isinstance(price, bool) or not 0 <= price < 1e9:
        return None  # OpenRouter writes -1 for a price that varies
    return float(price)


def _with_query(url: str, **fields: object) -> str:
    added = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields.items())
    return f"{url}{'&' if '?' in url else '?'}{added}"
