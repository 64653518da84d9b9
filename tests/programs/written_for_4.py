"""A program as people wrote them for msgmodel 4.1.1: by its own documents, nothing of what came later."""

import asyncio
import io
import time

from msgmodel import (
    RETRY_AGGRESSIVE,
    AnthropicConfig,
    APIError,
    AuthenticationError,
    ClaudeConfig,
    ConfigurationError,
    FileError,
    GeminiConfig,
    LLMResponse,
    MsgModelError,
    OpenAIConfig,
    OpenAIProvider,
    Provider,
    RateLimitError,
    RequestSigner,
    StreamingError,
    aquery,
    astream,
    astream_panels,
    get_default_config,
    query,
    retry_on_transient_error,
    stream,
    stream_panels,
    validate_max_tokens,
    validate_prompt,
)

# query
response = query("openai", "What is Python?")
assert isinstance(response, LLMResponse)
assert response.text == "Hello there."
assert response.provider == "openai" and response.model and response.raw_response
assert response.usage["total_tokens"] == response.usage["prompt_tokens"] + response.usage["completion_tokens"]
assert response.usage.get("prompt_tokens") == response.usage["input_tokens"]
assert response.usage.get("nothing") is None
assert "total_tokens" in response.usage and "prompt_tokens" in response.usage and "nothing" not in response.usage
assert response.privacy["training_retention"] in (True, False, None)
print(response.privacy["enforcement_level"], response.privacy["data_retention"])
assert "Hello there." not in repr(response)

# configs: positional, by name, changed afterwards
config = OpenAIConfig("gpt-4o-mini", 0.7, 1.0, 2000, 1, "sk-of-the-config")
config.max_tokens = 500
assert query(Provider.OPENAI, "Write a poem", config=config).text
assert config.max_tokens == 500
gemini = GeminiConfig(
    model="gemini-2.5-flash", temperature=1.0, top_p=0.95, top_k=40, safety_threshold="BLOCK_NONE", cache_control=False
)
assert query("g", "Hello", config=gemini, max_tokens=5).text
claude = ClaudeConfig(model="claude-haiku-4-5-20251001", temperature=1.0, max_tokens=1000)
assert isinstance(claude, AnthropicConfig) and isinstance(get_default_config(Provider.ANTHROPIC), AnthropicConfig)

# files
file_obj = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"\0" * 16)
assert query("c", "Describe this image", file_like=file_obj, filename="photo.png", config=claude).text
file_obj.name = "photo.png"
assert query("gemini", "Describe this image", file_like=file_obj, system_instruction="Be brief").text
assert file_obj.tell() == 0

# stream, on_chunk
assert "".join(stream("openai", "Tell me a story", timeout=30)) == "Hello there."
seen = []
for chunk in stream("openai", "Tell me a story", on_chunk=lambda chunk: seen.append(chunk) or False):
    print(chunk)
assert len(seen) == 1

# panels
events = list(stream_panels("openai", "Hi", panel_id="left", max_tokens=5))
assert all(event["panel_id"] == "left" for event in events)
assert events[-1]["event"] == "panel_final" and events[-1]["finish_reason"] == "stop"
assert events[-1]["content"] == "".join(event["delta"] for event in events if event["event"] == "panel_delta")

# retry
time.sleep = lambda seconds: None


@RETRY_AGGRESSIVE.decorator()
def patient():
    return query("openai", "Are you there?").text


assert patient() == "At last."


@retry_on_transient_error(max_retries=2, backoff_factor=0.1, max_backoff=1.0)
def again():
    return "".join(OpenAIProvider("sk-of-the-program").stream("Hi"))


assert again() == "The cut re"


# async
async def main():
    assert (await aquery("anthropic", "Hi", timeout=20)).text == "Bye."
    assert "".join([chunk async for chunk in astream("openai", "Hi")]) == "Bye."
    assert [event async for event in astream_panels("gemini", "Hi")][-1]["content"] == "Bye."


asyncio.run(main())

# errors
for wrong, kind in (
    (lambda: query("nobody", "Hi"), ValueError),
    (lambda: query("openai", "Hi", max_tokens=0), ConfigurationError),
    (lambda: validate_max_tokens(0), ConfigurationError),
    (lambda: validate_prompt(""), MsgModelError),
):
    try:
        wrong()
    except kind:
        pass
    else:
        raise AssertionError(kind)
assert issubclass(RateLimitError, APIError) and issubclass(StreamingError, MsgModelError)
assert issubclass(FileError, MsgModelError) and issubclass(AuthenticationError, MsgModelError)

signer = RequestSigner(secret_key="my-secret-key")
signature = signer.sign_request(provider="openai", message="Hello", model="gpt-4o")
assert signer.verify_signature(signature=signature, provider="openai", message="Hello", model="gpt-4o")
print("all of it ran")
