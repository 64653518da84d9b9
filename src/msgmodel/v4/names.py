"""Names of msgmodel 4 that new programs do not need: the enum of providers, and a class for each of them."""

from __future__ import annotations

import base64
import binascii
import io
import mimetypes
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, TypedDict

from .._functions import query, stream, stream_panels
from ..errors import ConfigurationError, FileError, exception
from ..question.config import AnthropicConfig, GeminiConfig, OpenAIConfig, ProviderConfig
from ..registry.privacy import stated_privacy
from ..registry.registry import PROVIDERS, find_provider

ClaudeConfig = AnthropicConfig

# Addresses, environment variables and key files of the three providers. Setting these names has no effect.
OPENAI_URL: Final = "https://api.openai.com/v1/chat/completions"
GEMINI_URL: Final = "https://generativelanguage.googleapis.com"
ANTHROPIC_URL: Final = "https://api.anthropic.com/v1/messages"
OPENAI_API_KEY_ENV: Final = "OPENAI_API_KEY"
GEMINI_API_KEY_ENV: Final = "GOOGLE_API_KEY"
ANTHROPIC_API_KEY_ENV: Final = "ANTHROPIC_API_KEY"
OPENAI_API_KEY_FILE: Final = "openai-api.key"
GEMINI_API_KEY_FILE: Final = "gemini-api.key"
ANTHROPIC_API_KEY_FILE: Final = "anthropic-api.key"


class Provider(StrEnum):
    """The three providers of msgmodel 4. Every function takes a member as well as a name."""

    OPENAI = "openai"
    GEMINI = "gemini"
    ANTHROPIC = "anthropic"

    @classmethod
    def from_string(cls, value: str) -> Provider:
        """Return the member for a name or short name. Raise ConfigurationError, a ValueError, if there is none."""
        row = find_provider(value)
        if row.name not in {member.value for member in cls}:
            raise ConfigurationError(f"{row.name!r} is not a member of this enum: pass its name as a string")
        return cls(row.name)


def get_default_config(provider: Provider) -> ProviderConfig:
    """Return a new config without any setting. Raise ConfigurationError for an unknown provider."""
    return find_provider(provider).config()


OnChunk = Callable[[str], object] | None


class FileData(TypedDict, total=False):
    """A file for the methods of the classes below. `data` is base64. `mime_type` is used if the name tells no type."""

    data: str
    mime_type: str
    filename: str
    is_file_like: bool


class Piece(TypedDict, total=False):
    """What `stream_with_finish_reason` yields: `text` if `type` is delta, `finish_reason` if it is finish."""

    type: Literal["delta", "finish"]
    text: str
    finish_reason: str | None


class _ProviderClass:
    provider: ClassVar[str]
    kind: ClassVar[type[ProviderConfig]]

    def __init__(self, api_key: str, config: Any = None) -> None:
        self.api_key = api_key
        self.config = self.kind() if config is None else config

    def __repr__(self) -> str:
        return f"{type(self).__name__}(config={self.config!r})"

    def query(
        self, prompt: str, system_instruction: str | None = None, file_data: FileData | None = None
    ) -> dict[str, Any]:
        """Return the `panel_final` event of the reply. Raise the errors of `msgmodel.query`."""
        return dict(query(**self._question_arguments(prompt, system_instruction, file_data)).raw_response)

    def stream(
        self,
        prompt: str,
        system_instruction: str | None = None,
        file_data: FileData | None = None,
        timeout: float = 300,
        on_chunk: OnChunk = None,
    ) -> Generator[str, None, None]:
        """Stream the text in pieces. Raise the errors of `msgmodel.stream`."""
        return stream(
            **self._question_arguments(prompt, system_instruction, file_data), timeout=timeout, on_chunk=on_chunk
        )

    def stream_with_finish_reason(
        self,
        prompt: str,
        system_instruction: str | None = None,
        file_data: FileData | None = None,
        timeout: float = 300,
        on_chunk: OnChunk = None,
    ) -> Generator[Piece, None, None]:
        """Stream the text in pieces, then the finish reason: the provider's, or "aborted" if `on_chunk` returned False.

        Raise the errors of `msgmodel.stream`.
        """
        with closing(
            stream_panels(**self._question_arguments(prompt, system_instruction, file_data), timeout=timeout)
        ) as events:
            for event in events:
                if event["event"] == "panel_delta":
                    if on_chunk is not None and on_chunk(event["delta"]) is False:
                        yield {"type": "finish", "finish_reason": "aborted"}
                        return
                    yield {"type": "delta", "text": event["delta"]}
                elif event["event"] == "panel_final":
                    yield {"type": "finish", "finish_reason": event["finish_reason"]}
                elif event["event"] == "panel_error":
                    raise exception(event)

    @classmethod
    def get_privacy_info(cls) -> dict[str, Any]:
        """Return the provider's statement about its API. `LLMResponse.privacy` tells about one request."""
        return stated_privacy(PROVIDERS[cls.provider])

    def _question_arguments(self, prompt: str, system: str | None, file: FileData | None) -> dict[str, Any]:
        given: dict[str, Any] = {
            "provider": self.provider,
            "prompt": prompt,
            "api_key": self.api_key,
            "system_instruction": system,
            "config": self.config,
        }
        if file:
            try:
                content = base64.b64decode(file["data"], validate=True)
            except (KeyError, TypeError, binascii.Error) as error:
                raise FileError("file_data must have the content in base64 as 'data'") from error
            given |= {"file_like": io.BytesIO(content), "filename": _name_with_suffix(file)}
        return given


class OpenAIProvider(_ProviderClass):
    """`query` and `stream` of OpenAI with a stored key and config."""

    provider = "openai"
    kind = OpenAIConfig

    @staticmethod
    def extract_text(response: Mapping[str, Any]) -> str:
        """Return the text in a result of `query`, or in a raw response of the provider."""
        for choice in response.get("choices", ()):
            if text := choice.get("message", {}).get("content"):
                return str(text)
        return _text_content(response)


class GeminiProvider(_ProviderClass):
    """`query` and `stream` of Gemini with a stored key and config. The constructor sends nothing."""

    provider = "gemini"
    kind = GeminiConfig

    @classmethod
    def create_verified(cls, api_key: str, config: GeminiConfig | None = None) -> Self:
        """Check the key with a question of one token, and return the provider. Raise APIError or StreamingError."""
        made = cls(api_key, config)
        query("gemini", "Hi", api_key, config=made.config, max_tokens=1)
        return made

    @classmethod
    def create_with_cached_validation(
        cls, api_key: str, config: GeminiConfig | None = None, validated: bool = False
    ) -> Self:
        """Return the provider. Check the key first, unless `validated` says that it was checked before."""
        return cls(api_key, config) if validated else cls.create_verified(api_key, config)

    @staticmethod
    def extract_text(response: Mapping[str, Any]) -> str:
        """Return the text in a result of `query`, or in a raw response of the provider."""
        return "".join(part.get("text", "") for _, _, part in _gemini_parts(response)) or _text_content(response)

    @staticmethod
    def extract_binary_outputs(response: Mapping[str, Any], output_dir: str = ".") -> list[str]:
        """Write the images and other files in a raw response into a folder, and return their paths."""
        written = []
        for candidate, number, part in _gemini_parts(response):
            inline = part.get("inline_data") or part.get("inlineData")
            if inline:
                media_type = inline.get("mime_type") or inline.get("mimeType") or ""
                suffix = mimetypes.guess_extension(media_type) or ".bin"
                path = Path(output_dir, f"output_c{candidate}_p{number}{suffix}")
                path.write_bytes(base64.b64decode(inline["data"]))
                written.append(str(path))
        return written


class AnthropicProvider(_ProviderClass):
    """`query` and `stream` of Anthropic with a stored key and config."""

    provider = "anthropic"
    kind = AnthropicConfig

    @staticmethod
    def extract_text(response: Mapping[str, Any]) -> str:
        """Return the text in a result of `query`, or in a raw response of the provider."""
        blocks = response.get("content", ())
        if isinstance(blocks, str):
            return blocks
        return "".join(block.get("text", "") for block in blocks if block.get("type") == "text")


def _name_with_suffix(file: FileData) -> str:
    """Return the file's name, with a suffix for its media type if the name does not tell the type."""
    name, media_type = file.get("filename") or "upload.bin", file.get("mime_type") or ""
    if not media_type or mimetypes.guess_type(name)[0] not in (None, "application/octet-stream"):
        return name
    return name + (mimetypes.guess_extension(media_type) or f".{media_type.rpartition('/')[2]}")


def _text_content(event: Mapping[str, Any]) -> str:
    content = event.get("content", "")
    return content if isinstance(content, str) else ""


def _gemini_parts(response: Mapping[str, Any]) -> list[tuple[int, int, Mapping[str, Any]]]:
    return [
        (index, number, part)
        for index, candidate in enumerate(response.get("candidates", ()))
        for number, part in enumerate(candidate.get("content", {}).get("parts", ()))
    ]
