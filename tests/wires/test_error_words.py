"""What providers really answer when they refuse or fail: each body with its code, and the words that people see.

The bodies are as providers document them or as users reported them, without ids. A phrase must never overrule a status
or a word that a program can read.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple, get_args

import pytest

from conftest import Async, Sync, config
from msgmodel.events import ErrorCode
from msgmodel.testing.server import Script, ScriptedServer, Send
from msgmodel.wires import error_words, provider_errors
from pure import play


class Body(NamedTuple):
    """An error body, the code that it must have, and words that must be shown; by default those of its message."""

    source: str
    status: int
    body: Any
    code: str
    shown: str = ""


def error(message: str, **fields: Any) -> dict[str, Any]:
    """The body in which most servers report an error."""
    return {"error": {"message": message, **fields}}


def claude(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def google(code: int, status: str, message: str, *details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def quota(*ids: str) -> dict[str, Any]:
    return {"@type": "google.rpc.QuotaFailure", "violations": [{"quotaId": each} for each in ids]}


def routed(message: str, code: int, **metadata: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "metadata": metadata}}


# fmt: off
INVALID = {"type": "invalid_request_error"}
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><script>x()</script>nginx/1.2</body></html>"

FULL_CONTEXT = [
    Body("OpenAI", 400, error("Your input exceeds the context window of this model.", code="context_length_exceeded"),
         "context_length"),
    Body("Anthropic", 400, claude("prompt is too long: 213462 tokens > 200000 maximum"), "context_length"),
    Body("Anthropic, input and max_tokens", 400, claude("input length and `max_tokens` exceed context limit: 198437 + "
         "16384 > 200000, decrease input length or `max_tokens` and try again"), "context_length"),
    Body("Gemini", 400, google(400, "INVALID_ARGUMENT", "The input token count (1250074) exceeds the maximum number of "
         "tokens allowed (1048576)."), "context_length"),
    Body("Bedrock", 400, {"message": "Input is too long for requested model."}, "context_length"),
    Body("vLLM", 400, {"object": "error", "type": "BadRequestError", "code": 400, "message": "This model's maximum "
         "context length is 16384 tokens. However, you requested 19591 tokens (9591 in the messages, 10000 in the "
         "completion)."}, "context_length"),
    Body("vLLM, too many to complete", 400, error("'max_tokens' or 'max_completion_tokens' is too large: 2000. This "
         "model's maximum context length is 4096 tokens and your request has 2104 input tokens.", code=400),
         "context_length"),
    Body("SGLang", 400, {"object": "error", "type": "BadRequestError", "code": 400, "message": "The input (32780 "
         "tokens) is longer than the model's context length (32768 tokens)."}, "context_length"),
    Body("llama.cpp", 400, error("request (2009 tokens) exceeds the available context size (512 tokens), try "
         "increasing it", code=400, type="exceed_context_size_error", n_ctx=512), "context_length"),
    Body("llama.cpp while it writes", 500, error("Context size has been exceeded.", code=500, type="server_error"),
         "context_length"),
    Body("gpustack", 400, error("Illegal param: prefill 744 tokens exceed n_ctx_per_seq, try increasing total context "
         "size", code=400, **INVALID), "context_length"),
    Body("Ollama", 400, error("prompt too long; exceeded max context length by 1119046 tokens", **INVALID),
         "context_length"),
    Body("LM Studio", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the context "
         "length."}, "context_length", "greater than the context length"),
    Body("text-generation-inference", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must "
         "be <= 4096. Given: 8192 `inputs` tokens and 100 `max_new_tokens`", "error_type": "validation"},
         "context_length", "must be <= 4096"),
    Body("Together", 400, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: "
         "80125 `inputs` tokens", param="max_tokens", **INVALID), "context_length"),
    Body("Groq", 400, error("Please reduce the length of the messages or completion.", param="messages",
         code="context_length_exceeded", **INVALID), "context_length"),
    Body("Cerebras", 400, {"message": "Please reduce the length of the messages or completion. Current length is 42328 "
         "while limit is 40000", "type": "invalid_request_error", "code": "context_length_exceeded"}, "context_length"),
    Body("Mistral", 400, {"object": "error", "message": "Prompt contains 140000 tokens and 0 draft tokens, too large "
         "for model with 131072 maximum context length", "type": "invalid_request_prompt", "code": "3051"},
         "context_length"),
    Body("DeepSeek", 400, error("This model's maximum context length is 131072 tokens. However, you requested 131134 "
         "tokens.", code="invalid_request_error", **INVALID), "context_length"),
    Body("xAI", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is "
         "131072 but the request contains 537812 tokens."}, "context_length", "131072 but the request"),
    Body("Perplexity", 400, error("The total length of all messages is too long.", type="too_many_prompt_tokens",
         code=400), "context_length"),
    Body("Cohere", 400, {"message": "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer "
         "inputs"}, "context_length"),
    Body("Alibaba", 400, error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 983616]",
         code="invalid_parameter_error", **INVALID), "context_length", "Range of input length"),
    Body("Moonshot", 400, error("Your request exceeded model token limit: 262144 (requested: 300000)", **INVALID),
         "context_length"),
    Body("MiniMax", 400, error("invalid params, context window exceeds limit (2013)", type="bad_request_error"),
         "context_length"),
    Body("Zhipu", 400, error("Prompt exceeds max length", code="1261"), "context_length"),
    Body("Fireworks", 400, error("The prompt is too long: 140000, model maximum context length: 131071", **INVALID),
         "context_length"),
    Body("GitHub Copilot", 400, error("prompt token count of 130000 exceeds the limit of 128000",
         code="model_max_prompt_tokens_exceeded"), "context_length"),
    Body("GitHub Models", 413, error("Request body too large for gpt-4o model. Max size: 8000 tokens.",
         code="tokens_limit_reached"), "context_length"),
    Body("OpenRouter", 400, error("This endpoint's maximum context length is 200000 tokens. However, you requested "
         "about 2500021 tokens.", code=400), "context_length"),
    Body("OpenRouter, in its words", 502, routed("Provider returned error", 502, error_type="context_length_exceeded"),
         "context_length"),
    Body("LiteLLM", 400, error("litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - x",
         type=None, param=None, code="400"), "context_length"),
]

NOT_A_FULL_CONTEXT = [
    Body("Bedrock, throttled", 429, {"message": "Too many tokens, please wait before trying again."}, "rate_limit"),
    Body("xAI, tokens per minute", 429, {"code": "Some resource has been exhausted", "error": "Too many tokens for "
         "team x and model grok-4-0709. Your team's rate limit is - Tokens per Minute (actual/limit): 65605/16000."},
         "rate_limit", "Too many tokens for team"),
    Body("Cerebras, tokens per minute", 429, {"message": "Tokens per minute limit exceeded - too many tokens "
         "processed.", "type": "too_many_tokens_error", "code": "token_quota_exceeded"}, "rate_limit"),
    Body("Ollama, max_tokens", 400, error("max_tokens (384000) exceeds model's maximum output tokens (65536) for model "
         "deepseek-v4-flash", **INVALID), "invalid_request"),
    Body("Bedrock, max_tokens", 400, {"message": "The maximum tokens you requested exceeds the model limit of 4096. "
         "Try again with a maximum tokens value that is lower than 4096."}, "invalid_request"),
    Body("Anthropic, max_tokens", 400, claude("max_tokens: 100000 > 64000, which is the maximum allowed number of "
         "output tokens for claude-x"), "invalid_request"),
    Body("OpenAI, max_tokens", 400, error("max_tokens is too large: 100000. This model supports at most 16384 "
         "completion tokens, whereas you provided 100000.", param="max_tokens", code="invalid_value", **INVALID),
         "invalid_request"),
    Body("Anthropic, too many tools", 400, claude("Too many strict tools (21). The maximum number of strict tools "
         "supported is 20."), "invalid_request"),
    Body("a phrase in an address", 400, error("unknown field: see https://docs.example/context-length-exceeded-errors "
         "and https://x.example/billing/spending-limit"), "invalid_request", "unknown field"),
    Body("a status that says it", 401, error("the context length is exceeded, said the proxy, and the credit balance"),
         "authentication"),
    Body("a word that says it", 400, error("The context length is exceeded", code="invalid_api_key"), "authentication"),
]

MONEY = [
    Body("OpenAI", 429, error("You exceeded your current quota, please check your plan and billing details.",
         type="insufficient_quota", code="insufficient_quota"), "quota"),
    Body("Anthropic", 400, claude("Your credit balance is too low to access the Anthropic API. Please go to Plans & "
         "Billing to upgrade or purchase credits."), "quota"),
    Body("Anthropic, own limit", 400, claude("You have reached your specified API usage limits. You will regain access "
         "on 2026-12-01 at 00:00 UTC."), "quota"),
    Body("Gemini, a day", 429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your "
         "plan and billing details.", quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
         "GenerateRequestsPerDayPerProjectPerModel-FreeTier")), "quota"),
    Body("Gemini, no free tier", 429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. * Quota "
         "exceeded for metric: generate_content_free_tier_requests, limit: 0, model: gemini-3-pro Please retry in "
         "45.57s."), "quota"),
    Body("Gemini, no billing", 403, google(403, "PERMISSION_DENIED", "This API method requires billing to be enabled.",
         {"reason": "BILLING_DISABLED"}), "quota"),
    Body("DeepSeek", 402, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "quota"),
    Body("OpenRouter", 402, error("This request requires more credits, or fewer max_tokens. You requested up to 65536 "
         "tokens, but can only afford 3395.", code=402), "quota"),
    Body("OpenRouter, prompt", 402, error("Prompt tokens limit exceeded: 36163 > 29652.", code=402), "quota"),
    Body("OpenRouter, key", 403, error("Key limit exceeded (monthly limit). Manage it using "
         "https://openrouter.ai/settings/keys", code=403), "quota"),
    Body("OpenRouter, a day", 429, error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free "
         "model requests per day", code=429), "quota"),
    Body("xAI", 429, {"code": "Some resource has been exhausted", "error": "Your team x has either used all available "
         "credits or reached its monthly spending limit."}, "quota", "monthly spending limit"),
    Body("xAI, new team", 403, {"code": "permission-denied", "error": "Your newly created team doesn't have any "
         "credits or licenses yet."}, "quota", "any credits or licenses"),
    Body("Zhipu", 429, error("余额不足或无可用资源包,请充值。", code="1113"), "quota"),
    Body("Z.ai", 429, error("Insufficient balance or no resource package. Please recharge.", code="1113"), "quota"),
    Body("SiliconFlow", 403, {"code": 30011, "message": "The selected model requires paid balance. Your paid balance "
         "is insufficient. Please top up and try again.", "data": None}, "quota"),
    Body("Fireworks", 412, error("Account x is suspended, possibly due to reaching the monthly spending limit or "
         "failure to pay past invoices."), "quota"),
    Body("Moonshot", 429, error("Your account is suspended, please check your plan and billing details",
         type="exceeded_current_quota_error"), "quota"),
    Body("Alibaba", 400, error("Access denied, please make sure your account is in good standing.", code="Arrearage",
         type="Arrearage"), "quota"),
    Body("LiteLLM", 429, error("Budget has been exceeded! Current cost: 10.51, Max budget: 10.00",
         type="budget_exceeded", code="429"), "quota"),
    Body("LiteLLM, old", 400, error("ExceededBudget: End User=x over budget. Spend=0.0008, Budget=0.0001",
         type="auth_error", param="None", code=400), "quota"),
    Body("new-api", 403, error("user quota is not enough", type="new_api_error", code="insufficient_user_quota"),
         "quota"),
    Body("Cohere, a month", 429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
         "quota"),
    Body("OpenCode Zen", 401, {"type": "error", "error": {"type": "CreditsError", "message": "Insufficient balance."}},
         "quota"),
]

RATE_LIMITS = [
    Body("OpenAI", 429, error("Rate limit reached for gpt-4.1 in organization x on tokens per min (TPM): Limit 30000, "
         "Used 28039, Requested 3906. Please try again in 3.89s.", type="tokens", code="rate_limit_exceeded"),
         "rate_limit"),
    Body("OpenAI, requests a day", 429, error("Rate limit reached for gpt-x on requests per day (RPD): Limit 200, Used "
         "200, Requested 1. Please try again in 7m12s.", type="requests", code="rate_limit_exceeded"), "rate_limit"),
    Body("Gemini, a minute", 429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check "
         "your plan and billing details.", quota("GenerateContentInputTokensPerModelPerMinute-FreeTier")),
         "rate_limit"),
    Body("Azure", 429, error("Requests to the ChatCompletions_Create Operation under Azure OpenAI API version "
         "2024-05-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 9 "
         "seconds. Please go here: https://aka.ms/oai/quotaincrease", code="429"), "rate_limit"),
    Body("Azure API Management", 429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 14 "
         "seconds."}, "rate_limit"),
    Body("Bedrock, requests", 429, {"message": "Too many requests, please wait before trying again."}, "rate_limit"),
    Body("Mistral", 429, {"object": "error", "message": "Service tier capacity exceeded for this model.",
         "type": "service_tier_capacity_exceeded", "code": "3505"}, "rate_limit"),
    Body("LiteLLM", 429, error("litellm.RateLimitError: AzureException RateLimitError - Error code: 429",
         type="throttling_error", code="429"), "rate_limit"),
    Body("OpenRouter, requests in flight", 402, routed("This request would exceed your available credits given your "
         "current in-flight requests.", 402, reason="in_flight_budget_exhausted",
         limit_source="openrouter_in_flight_budget"), "rate_limit"),
    Body("OpenRouter, upstream", 429, routed("Provider returned error", 429, raw="x/y:free is temporarily rate-limited "
         "upstream. Please retry shortly."), "rate_limit", "temporarily rate-limited"),
]

TOO_LARGE_ALONE = [
    Body("OpenAI", 429, error("Request too large for gpt-4o in organization x on tokens per min (TPM): Limit 30000, "
         "Requested 45000. The input or output tokens must be reduced in order to run successfully.", type="tokens",
         code="rate_limit_exceeded"), "too_large"),
    Body("OpenAI, nothing used", 429, error("Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30,000, Used "
         "0, Requested 30,601.", type="tokens", code="rate_limit_exceeded"), "too_large"),
    Body("Groq", 413, error("Request too large for model `llama-3.3-70b-versatile` in organization `x` service tier "
         "`on_demand` on tokens per minute (TPM): Limit 12000, Requested 14137, please reduce your message size and "
         "try again. Upgrade to Dev Tier today at https://console.groq.com/settings/billing", type="tokens",
         code="rate_limit_exceeded"), "too_large"),
    Body("Anthropic", 413, claude("Request exceeds the maximum size", "request_too_large"), "too_large"),
]

GONE = [
    Body("OpenAI", 404, error("The model `gpt-x` does not exist or you do not have access to it.", **INVALID),
         "not_found"),
    Body("Groq, decommissioned", 400, error("The model `mixtral-8x7b-32768` has been decommissioned and is no longer "
         "supported. Please refer to https://console.groq.com/docs/deprecations", code="model_decommissioned",
         **INVALID), "not_found", "has been decommissioned"),
    Body("xAI, deprecated", 404, {"code": "Some requested entity was not found", "error": "The model grok-beta was "
         "deprecated on 2025-09-15."}, "not_found", "grok-beta was deprecated"),
    Body("xAI", 400, {"code": "invalid-argument", "error": "Model not found: grok-x"}, "not_found", "Model not found"),
    Body("Mistral", 400, {"object": "error", "message": "Invalid model: mistral-foo", "type": "invalid_model",
         "param": None, "code": "1500"}, "not_found"),
    Body("DeepSeek", 400, error("Model Not Exist", code="invalid_request_error", **INVALID), "not_found"),
    Body("DeepSeek, new", 400, error("The supported API model names are deepseek-v4-pro or deepseek-v4-flash, but you "
         "passed deepseek-v9.", code="invalid_request_error", **INVALID), "not_found"),
    Body("Bedrock", 400, {"message": "The provided model identifier is invalid."}, "not_found"),
    Body("Bedrock, old", 404, {"message": "This model version has reached the end of its life."}, "not_found"),
    Body("OpenRouter", 400, error("openai/gpt-x is not a valid model ID", code=400), "not_found"),
    Body("GitHub Models", 400, error("Unknown model: foo", code="unknown_model", details="Unknown model: foo"),
         "not_found"),
    Body("LiteLLM", 400, {"error": "/chat/completions: Invalid model name passed in model=gpt-foo. Call `/v1/models` "
         "to view available models for your key."}, "not_found", "Invalid model name"),
    Body("new-api", 503, error("No available channel for model x under group default", code="model_not_found"),
         "not_found"),
    Body("Azure", 404, error("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
         "not_found"),
    Body("a response that is not kept", 400, error("Previous response with id 'resp_1' not found.",
         code="previous_response_not_found", param="previous_response_id", **INVALID), "invalid_request"),
]

FILTERED = [
    Body("Azure", 400, error("The response was filtered due to the prompt triggering Azure OpenAI's content management "
         "policy. https://go.microsoft.com/fwlink/?linkid=1", type=None, param="prompt", code="content_filter",
         status=400, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_policy", "was filtered"),
    Body("Azure by way of LiteLLM", 400, error("litellm.BadRequestError: litellm.ContentPolicyViolationError: "
         "AzureException - The response was filtered", type=None, code="400"), "content_policy"),
    Body("Alibaba", 400, error("Input text data may contain inappropriate content.", code="data_inspection_failed",
         type="data_inspection_failed"), "content_policy"),
    Body("Alibaba, its own API", 400, {"code": "DataInspectionFailed", "message": "Input data may contain something."},
         "content_policy"),
    Body("Anthropic", 400, claude("Output blocked by content filtering policy"), "content_policy"),
    Body("DeepSeek", 400, error("Content Exists Risk", code="invalid_request_error", **INVALID), "content_policy"),
    Body("xAI", 403, {"code": "The caller does not have permission to execute the specified operation", "error":
         "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X"}, "content_policy", "usage guidelines"),
    Body("Gemini", 400, google(400, "INVALID_ARGUMENT", "The prompt could not be submitted. This prompt contains "
         "sensitive words that violate Google's Responsible AI practices."), "content_policy"),
    Body("OpenRouter", 403, routed('openai/x requires moderation on OpenAI. Your input was flagged for "sexual". No '
         "credits were charged.", 403, reasons=["sexual"], flagged_input="..."), "content_policy"),
]

KEYS_AND_PLACES = [
    Body("Gemini", 400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
         {"reason": "API_KEY_INVALID"}), "authentication"),
    Body("xAI", 400, {"code": "invalid-argument", "error": "Incorrect API key provided. You can obtain an API key from "
         "https://console.x.ai."}, "authentication", "Incorrect API key"),
    Body("Bedrock", 403, {"Message": "Authentication failed: Please make sure your API Key is valid."},
         "authentication", "Authentication failed"),
    Body("Ollama", 401, error("Unauthorized", type="api_error"), "authentication"),
    Body("OpenAI, country", 403, error("Country, region, or territory not supported",
         code="unsupported_country_region_territory", type="request_forbidden"), "permission"),
    Body("Gemini, place", 400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
         "permission"),
    Body("OpenAI, verified", 400, error("Your organization must be verified to stream this model.", param="stream",
         code="unsupported_value", **INVALID), "permission"),
]

FAULTS_OF_SERVERS = [
    Body("llama.cpp, image", 500, error("image input is not supported - hint: if this is unexpected, you may need to "
         "provide the mmproj", code=500, type="server_error"), "invalid_request"),
    Body("llama.cpp, tools", 500, error("tools param requires --jinja flag", code=500, type="server_error"),
         "invalid_request"),
    Body("Ollama, tools", 400, error("registry.ollama.ai/library/gemma:latest does not support tools",
         type="api_error"), "invalid_request"),
    Body("Ollama, memory", 500, error("model requires more system memory (5.3 GiB) than is available (3.3 GiB)",
         type="api_error"), "server"),
    Body("OpenAI", 500, error("The server had an error while processing your request.", type="server_error"), "server"),
    Body("Anthropic", 529, claude("Overloaded", "overloaded_error"), "overloaded"),
    Body("Gemini", 503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), "overloaded"),
    Body("Moonshot", 429, error("The engine is currently overloaded, please try again later",
         type="engine_overloaded_error"), "overloaded"),
    Body("text-generation-inference", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded",
         "Model is overloaded"),
    Body("FastAPI", 422, {"detail": [{"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"}]},
         "invalid_request", "body.messages.0: field required"),
    Body("Mistral, fields", 422, {"object": "error", "message": {"detail": [{"loc": ["body", "foo"], "msg": "Extra "
         "inputs are not permitted"}]}, "type": "invalid_request_error"}, "invalid_request", "body.foo: Extra inputs"),
    Body("NestJS", 400, {"statusCode": 400, "message": ["prompt must be a string"], "error": "Bad Request"},
         "invalid_request", "prompt must be a string"),
    Body("dify, Gemini in a string", 429, error(json.dumps(google(429, "RESOURCE_EXHAUSTED", "Quota exceeded.",
         quota("RequestsPerDay"))), code=429, status="Too Many Requests"), "quota", "429): Quota exceeded."),
    Body("OpenRouter, a page", 502, routed("Provider returned error", 502, raw=BAD_GATEWAY), "server",
         "502 Bad Gateway"),
]
# fmt: on

TABLES = (
    FULL_CONTEXT, NOT_A_FULL_CONTEXT, MONEY, RATE_LIMITS, TOO_LARGE_ALONE, GONE, FILTERED, KEYS_AND_PLACES,
    FAULTS_OF_SERVERS,
)  # fmt: skip
BODIES = [body for table in TABLES for body in table]
RETRYABLE = {"rate_limit", "overloaded", "server"}


def wire_of(body: Body) -> str:
    first = body.source.split(",")[0]
    return {"Anthropic": "anthropic", "Gemini": "gemini"}.get(first, "openai_chat")


@pytest.mark.parametrize("body", BODIES, ids=[f"{body.source} {body.code}" for body in BODIES])
def test_what_providers_answer(body: Body) -> None:
    (event,) = play(wire_of(body), [json.dumps(body.body, ensure_ascii=False).encode()], status=body.status)
    assert (event["code"], event["retryable"], event["status_code"], event["error_type"]) == (
        body.code,
        body.code in RETRYABLE,
        body.status,
        "APIError",
    )
    inner = body.body.get("error")
    message = inner.get("message") if isinstance(inner, dict) else body.body.get("message")
    assert (body.shown or message) in event["error"]
    assert "html" not in event["error"]
    assert "{" not in event["error"]


def test_the_codes_in_the_tables_are_ours() -> None:
    codes = set(get_args(ErrorCode))
    assert {*error_words.CODE_BY_ERROR_WORD.values(), *(row.code for row in error_words.PHRASES)} <= codes
    assert set().union(*(row.replaces for row in error_words.PHRASES)) <= codes | {None}


def test_words_that_are_written_alike_mean_the_same() -> None:
    found: dict[str, set[str]] = {}
    for word, code in error_words.CODE_BY_ERROR_WORD.items():
        found.setdefault(error_words.plain_word(word), set()).add(code)
    assert {word for word, codes in found.items() if len(codes) > 1} == set()
    for word in ("RateLimitError", "rate-limit-exceeded", "RATE_LIMIT_EXCEEDED", "rateLimitExceeded"):
        assert error_words.code_of_word(word) == "rate_limit"


def test_a_phrase_never_overrules_a_status_that_says_it() -> None:
    """Whatever the message says, a status for one thing alone keeps its code."""
    said = "context length exceeded, credit balance too low, content policy, api key expired, model x not found"
    for status, code in error_words.CODE_BY_HTTP_STATUS.items():
        if code not in ("invalid_request", "server", "permission", "rate_limit", "too_large"):
            assert provider_errors.read_failure(error(said), status).code == code
    assert provider_errors.read_failure(error("the context length is exceeded"), 429).code == "rate_limit"


# --- errors in the middle of a stream ---

HELLO = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
NO_CHOICE: dict[str, Any] = {"id": "c", "model": "m", "choices": []}
STOPPED = {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}


def data(*payloads: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % (p if isinstance(p, bytes) else json.dumps(p).encode()) for p in payloads)


@pytest.mark.parametrize(
    ("after", "code", "retryable", "shown"),
    [
        pytest.param(
            data(NO_CHOICE | routed("Provider returned error", 502, error_type="provider_unavailable", raw="It died.")),
            "overloaded",
            True,
            "It died.",
            id="OpenRouter",
        ),
        pytest.param(
            data(
                STOPPED | routed("Provider returned error", 429, raw='{"error":{"message":"Slow","code":"slow_down"}}')
            ),
            "rate_limit",
            True,
            "Slow",
            id="OpenRouter with a finish reason",
        ),
        pytest.param(
            data(error("Failed to call a function.", code="tool_use_failed", status_code=400, **INVALID)),
            "invalid_request",
            False,
            "Failed to call a function.",
            id="Groq",
        ),
        pytest.param(
            data({"x_groq": {"error": "over capacity"}} | NO_CHOICE),
            "server",
            True,
            "over capacity",
            id="Groq in its own field",
        ),
        pytest.param(
            data(error("Context size has been exceeded.", code=500, type="server_error")),
            "context_length",
            False,
            "Context size has been exceeded.",
            id="llama.cpp",
        ),
        pytest.param(
            b'error: {"code":400,"message":"it exceeds the available context size","type":"invalid_request_error"}'
            b"\n\n" + data(b"[DONE]"),
            "context_length",
            False,
            "it exceeds the available context size",
            id="llama.cpp of 2025",
        ),
        pytest.param(
            data(error("Output data may contain inappropriate content.", code="data_inspection_failed") | {"id": "c"}),
            "content_policy",
            False,
            "Output data may contain inappropriate content.",
            id="Alibaba",
        ),
        pytest.param(
            data(error("EngineCore encountered an issue.", type="InternalServerError", code=500), b"[DONE]"),
            "server",
            True,
            "EngineCore encountered an issue.",
            id="vLLM",
        ),
        pytest.param(
            b"event: error\n" + data({"error": {"message": "The context length of 4096 tokens is exceeded."}}),
            "context_length",
            False,
            "The context length of 4096 tokens is exceeded.",
            id="LM Studio",
        ),
        pytest.param(
            b'{"message":"Too many tokens, please wait before trying again.","type":"error"}\n',
            "rate_limit",
            True,
            "please wait",
            id="Bedrock by way of a gateway",
        ),
    ],
)
def test_errors_in_the_middle_of_a_chat(after: bytes, code: str, retryable: bool, shown: str) -> None:
    *_, event = play("openai_chat", [data(HELLO), after])
    assert (event["event"], event["error_type"], event["content"]) == ("panel_error", "APIError", "Hel")
    assert (event["code"], event["retryable"]) == (code, retryable)
    assert shown in event["error"]


# --- bodies that are not JSON ---

PLAIN = b"upstream connect error or disconnect/reset before headers.\r\nreset reason: connection failure\n"
PAGE = b"\xef\xbb\xbf<!DOCTYPE html><html><head>\n<title>\n502 &amp; Bad\n</title></head><body>" + b"<p>x" * 20_000
S3 = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
NOTHING = "no explanation given"


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        pytest.param(
            PLAIN,
            "text/plain",
            "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
            id="text",
        ),
        pytest.param(
            b"Too many requests by sk-key-0123456789 \x1b[31m!", "text/plain", "Too many requests by [key]", id="key"
        ),
        pytest.param(PAGE, "text/html", "502 & Bad", id="page"),
        pytest.param(b"<center>nginx</center>", "text/html", NOTHING, id="page without a title"),
        pytest.param(S3, "application/xml", NOTHING, id="XML"),
        pytest.param(b'{"error": {"message": "cut in the mid', "application/json", NOTHING, id="half of JSON"),
        pytest.param(bytes(range(256)), "application/octet-stream", NOTHING, id="binary"),
        pytest.param(b"", "text/plain", NOTHING, id="empty"),
        pytest.param(b'"a string"', "application/json", "a string", id="a string"),
    ],
)
def test_a_body_that_is_no_json(
    colour: Sync | Async, server: ScriptedServer, body: bytes, kind: str, shown: str
) -> None:
    server.say(Script(status=503, headers={"content-type": kind}, framing="length", steps=(Send(body),)))
    (event,) = colour.panels(
        "openai", "hi", "sk-key-0123456789", config=config("openai_chat", server.url), max_retries=0
    )
    assert (event["code"], event["status_code"]) == ("overloaded", 503)
    assert event["error"].removeprefix("openai (HTTP 503): ").startswith(shown)
    assert not {"<", "\n", "\x1b"} & set(event["error"])
