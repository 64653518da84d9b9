/** One reply for every ending, failure and warning, as the server would report it. */

import type { ErrorCode, PanelEnd, PanelFinal, WarningCode } from "msgmodel-client";
import { newReply, type Reply } from "../src/model";

export const TEXT =
  "Every evening at six the keeper climbed the hundred and twelve steps, wound the clockwork and lit the lamp.";
const CUT = `${TEXT} On the last night of October the sea was so calm that he could hear, from the other shore,`;

const COMMON = {
  panel_id: "p",
  provider: "openai",
  wire: "openai_responses",
  model: "gpt-6-luna-2026-11-04",
  usage: {
    input_tokens: 2310,
    output_tokens: 586,
    reasoning_tokens: 180,
    cached_tokens: 1024,
    cache_write_tokens: null,
    source: "provider",
  },
  cost: 0.0043,
  cost_source: "price_list",
  timing: { first_delta_seconds: 1.2, total_seconds: 9.4, attempts: 1 },
  request_id: "req_8842f0c1",
  untold: [],
  warnings: [],
  receipt: {
    provider_asked: "openai",
    provider_served: null,
    model_asked: "gpt-6-luna",
    model_served: "gpt-6-luna-2026-11-04",
    service_tier_asked: null,
    service_tier: "default",
    host: "api.openai.com",
    fields: [],
    requests: [],
    estimated_input_tokens: 2280,
    input_tokens: 2310,
    stated_cost: null,
  },
  privacy: { training_retention: false, data_retention: "up to 30 days", local: false },
} as const;

export function final(content: string, rest: Partial<PanelFinal> | Record<string, unknown> = {}): PanelEnd {
  return {
    ...COMMON,
    event: "panel_final",
    content,
    finish_reason: "stop",
    status: "complete",
    truncated: false,
    truncated_in: null,
    message: { role: "assistant", content },
    ...rest,
  } as unknown as PanelEnd;
}

export function failed(code: ErrorCode, content = "", rest: Record<string, unknown> = {}): PanelEnd {
  return {
    ...COMMON,
    event: "panel_error",
    content,
    error: `The provider said: ${code}`,
    error_type: "APIError",
    code,
    status_code: 429,
    retryable: true,
    retry_after: null,
    message: { role: "assistant", content, partial: true },
    ...(content === "" && { cost: null, usage: { ...COMMON.usage, input_tokens: 0, output_tokens: 0 } }),
    ...rest,
  } as unknown as PanelEnd;
}

export function ended(end: PanelEnd, rest: Partial<Reply> = {}): Reply {
  const {
    content,
    reasoning = "",
    refusal = "",
    tool_calls: toolCalls = [],
    sources = [],
    tool_runs: toolRuns = [],
  } = end;
  return {
    ...newReply("openai", "gpt-6-luna"),
    content,
    reasoning,
    refusal,
    toolCalls,
    sources,
    toolRuns,
    end,
    ...rest,
  };
}

const call = (name: string, kind: "function" | "approval", given: Record<string, string>) => ({
  id: `call_${name}`,
  name,
  arguments: JSON.stringify(given),
  arguments_json: given,
  complete: true,
  kind,
});

const mail = call("send_mail", "approval", {
  to: "ida@example.org",
  subject: "The lighthouse, chapter 1",
  text: "Dear Ida,\nhere is the first chapter.",
});

/** A question and its reply for every ending. */
export const ENDINGS: readonly (readonly [string, Reply])[] = [
  ["Shorten chapter one to a sentence.", ended(final(TEXT))],
  [
    "Write the story of the lighthouse.",
    ended(final(CUT, { status: "truncated", truncated_in: "text", finish_reason: "length" }), {
      asked: { maxTokens: 586, budget: null },
    }),
  ],
  [
    "Think about the ending.",
    ended(final("", { status: "truncated", truncated_in: "reasoning", reasoning: "The lamp could" })),
  ],
  [
    "Look up the depth.",
    ended(
      final("", {
        status: "truncated",
        truncated_in: "tool_call",
        tool_calls: [{ ...call("depth", "function", {}), complete: false, arguments: '{"pla' }],
      }),
    ),
  ],
  [
    "Write the whole book now.",
    ended(
      final("Part one. The island had no name on the charts until 1847, when", {
        status: "budget",
        cost: 0.0501,
        budget: 0.05,
      }),
    ),
  ],
  ["And the second chapter?", ended(failed("interrupted", CUT))],
  ["Try the bigger model.", ended(failed("authentication"))],
  [
    "Tell it with the keeper's real name and address.",
    ended(
      final("", {
        status: "filtered",
        refusal: "I can't give a private person's address. I can go on with an invented name.",
      }),
    ),
  ],
  [
    "And how the storm killed them?",
    ended(final("The storm", { status: "filtered", finish_reason: "content_filter" })),
  ],
  [
    "Go on as before, then.",
    ended(
      failed("cancelled", "He put on his coat and went down to the boat house. The door stood open, and the lamp that"),
    ),
  ],
  ["Mail the first chapter to Ida.", ended(final("", { status: "tool_calls", tool_calls: [mail] }))],
  [
    "What is the weather at the lighthouse?",
    ended(final("", { status: "tool_calls", tool_calls: [call("weather", "function", { place: "Kõpu" })] })),
  ],
  [
    "Search everything.",
    ended(final("I have read twelve pages so far.", { status: "paused", finish_reason: "pause_turn" })),
  ],
  ["What is in the log?", ended(final("The log of that night", { status: "unknown", finish_reason: "other" }))],
  [
    "Only the last sentence, please.",
    ended(final("", { empty: true, usage: { ...COMMON.usage, reasoning_tokens: 220 } })),
  ],
];

const CODES: readonly ErrorCode[] = [
  "authentication",
  "permission",
  "not_found",
  "rate_limit",
  "overloaded",
  "quota",
  "context_length",
  "too_large",
  "invalid_request",
  "content_policy",
  "server",
  "network",
  "timeout",
  "protocol",
  "reply_too_large",
];

/** A reply for every way to fail before the first word. */
export const FAILURES: readonly (readonly [string, Reply])[] = [
  ...CODES.map(
    (code) =>
      [
        code,
        ended(
          failed(code, "", code === "rate_limit" ? { retry_after: 20, timing: { ...COMMON.timing, attempts: 3 } } : {}),
        ),
      ] as const,
  ),
  [
    "The page: no network",
    { ...newReply("openai", "gpt-6-luna"), lost: { code: "network", message: "Failed to fetch" } },
  ],
  ["The page: gone", { ...newReply("openai", "gpt-6-luna"), lost: { code: "expired", message: "unknown stream" } }],
];

const WARNINGS: readonly WarningCode[] = [
  "model_substituted",
  "tier_changed",
  "context_cut",
  "context_edited",
  "parameter_ignored",
  "choice_dropped",
  "reasoning_hidden",
  "count_disagrees",
  "cached",
  "part_dropped",
  "text_replaced",
];

/** A reply for every warning. */
export const WARNED: readonly (readonly [string, Reply])[] = [
  ...WARNINGS.map(
    (code) =>
      [
        code,
        ended(
          final(TEXT, {
            warnings: [{ code, message: `The server's own words on ${code}.` }],
            receipt: { ...COMMON.receipt, model_served: "gpt-6-luna-mini", service_tier_asked: "flex" },
          }),
        ),
      ] as const,
  ),
  ["untold", ended(final(TEXT, { untold: ["hologram"] }))],
  ["resumed", ended(final(TEXT), { note: { reason: "resume", provider: "openai", model: "", error: "" } })],
  [
    "fallback",
    ended(final(TEXT, { provider: "anthropic" }), {
      note: { reason: "fallback", provider: "anthropic", model: "", error: "Busy." },
    }),
  ],
];
