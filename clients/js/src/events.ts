// Made by generate.py from messages.py, events.py and server/panels.py of msgmodel. Don't edit: run it again.

export type Json = boolean | number | string | Json[] | { [key: string]: Json } | null;

/** What a provider wants back unchanged: a signature, an encrypted block, an item of its own. */
export interface Opaque {
  provider: string;
  wire: string;
  /** The host that it came from, the only one that it goes to. Without, the provider's own. */
  host?: string;
  data: Json;
}

/** A piece of text. */
export interface TextPart {
  type: "text";
  text: string;
  opaque?: Opaque;
}

/** A file of the user's. `data`: its bytes, or their base64 text where the message is to be stored as JSON. */
export interface FilePart {
  type: "file";
  name: string;
  data: string;
}

/** The model's reasoning, or its summary. Its text alone goes back to nobody, except where a server wants it. */
export interface ReasoningPart {
  type: "reasoning";
  text: string;
  opaque?: Opaque;
}

/** The model's own words for refusing. They go back as what they are, or as text where a wire knows no refusal. */
export interface RefusalPart {
  type: "refusal";
  text: string;
}

/**
 * A call that the model made. `arguments`: the text as it came, or an object.
 *
 * Text that is no JSON object goes back as it is where the wire takes text, and as `{}` where it wants an object.
 */
export interface ToolCallPart {
  type: "tool_call";
  id: string;
  name: string;
  arguments: string | { [key: string]: Json };
  opaque?: Opaque;
}

/** What a call gave. Anything but a string is sent as JSON. */
export interface ToolResultPart {
  type: "tool_result";
  tool_call_id: string;
  content: Json;
  is_error?: boolean;
}

/** A block that only its provider can read, such as the result of a search that it made itself. */
export interface OpaquePart {
  type: "opaque";
  opaque: Opaque;
}

export type Part = TextPart | FilePart | ReasoningPart | RefusalPart | ToolCallPart | ToolResultPart | OpaquePart;

/**
 * One turn.
 *
 * `system`, `user` and `assistant`: a string, or parts (user: text, file, tool_result; assistant: text, reasoning,
 * refusal, tool_call, opaque). `tool`: tool_result parts, or the result itself with `tool_call_id` beside it. A turn
 * in which nothing is said, only white space or reasoning, is not sent: servers refuse it.
 */
export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string | Part[];
  tool_call_id?: string;
  /** With `tool_call_id`: whether the tool failed. */
  is_error?: boolean;
  /** The assistant's turn did not come whole. Calls in it that have no result are left out when it is sent. */
  partial?: boolean;
}

/**
 * Our verdict on a reply that ended by the rules of its wire.
 *
 * `complete`: the model said all it wanted. `truncated`: a limit or a fault at the provider cut it short.
 * `filtered`: refused or filtered. `tool_calls`: the model waits for results of tools. `paused`: not finished, the
 * provider wants to be asked to go on. `unknown`: the provider gave a reason that says none of these, or named calls and
 * made none.
 */
export type Status = "complete" | "truncated" | "filtered" | "tool_calls" | "paused" | "unknown";

/** What went wrong. The first eleven are answers of the provider; `network` to `cancelled` are about the stream. */
export type ErrorCode =
  | "authentication"
  | "permission"
  | "not_found"
  | "rate_limit"
  | "quota"
  | "context_length"
  | "too_large"
  | "invalid_request"
  | "content_policy"
  | "overloaded"
  | "server"
  | "network"
  | "timeout"
  | "interrupted"
  | "protocol"
  | "cancelled";

/** Tokens of one reply, over all the requests that it took. null where nobody knows. */
export interface Usage {
  /** Everything that went in, cached tokens included. */
  input_tokens: number | null;
  /** Everything that came out, reasoning included. */
  output_tokens: number | null;
  /** The part of `output_tokens` that was reasoning. */
  reasoning_tokens: number | null;
  /** The part of `input_tokens` that was read from the provider's cache. */
  cached_tokens: number | null;
  /** The part of `input_tokens` that was written to the provider's cache. */
  cache_write_tokens: number | null;
  /** `estimated` when the provider did not say all of it, as after a cut: then a token is counted for four bytes. */
  source: "provider" | "estimated";
}

/** What happens to the data of this one request, computed from the request that was sent. */
export interface Privacy {
  provider: string;
  /** Whether the provider may train on it; null where that depends on the account or on somebody else's server. */
  training_retention: boolean | null;
  data_retention: string;
  /** The value of the storage switch as sent; null where none was sent. */
  stored: boolean | null;
  /** Host that the request went to, or `in-process`. */
  endpoint: string;
  /** Whether the bytes of a file were in the request. */
  inline_file: boolean;
  /** Whether nothing left this machine. */
  local: boolean;
  /** What makes it so: nothing was sent, a switch in the request, the provider's policy, or nothing that is known. */
  enforcement_level: "in_process" | "request" | "policy" | "unknown";
  provider_policy: string;
  special_conditions: string;
  /** URL of the policy. */
  reference: string;
  /** ISO date on which the policy was read. */
  checked: string;
}

/** Seconds since the question was asked. */
export interface Timing {
  first_delta_seconds: number | null;
  total_seconds: number;
  /** Requests sent, retries and continuations included. */
  attempts: number;
}

/**
 * A call that the model wants made.
 *
 * A call that is complete stands in `message` and waits for its result, also where its arguments are no JSON: then
 * the model made a mistake, and a result with `is_error` lets it try again.
 */
export interface ToolCall {
  /** The provider's, or one made here where it gave none or the same twice; no two calls of a conversation share it. */
  id: string;
  /** Never empty. */
  name: string;
  /** The text as it came. */
  arguments: string;
  /** What the text means: an object of a correct call. null where the call is not complete, or its text no JSON. */
  arguments_json: Json;
  /**
   * Whether the provider proved that all of it came: by what came after it, or by a reply that ended well. The last
   *     call of a reply that hit a limit or broke off is never complete, and nor is one before it whose end was not said
   *     and whose arguments are no JSON object. Nothing to execute.
   */
  complete: boolean;
}

/**
 * One of the responses that make up a reply which was continued, resumed, or begun by somebody else.
 *
 * Of a provider that was given up after it had shown reasoning there are no `characters`, only what it used.
 */
export interface Segment {
  provider: string;
  model: string;
  /** How many characters of `content` are this segment's. */
  characters: number;
  /** How many more it said that repeated the end of the segment before, and were left out. */
  overlap: number;
  /** How it ended. */
  status: Status | ErrorCode;
  finish_reason: string | null;
  request_id: string | null;
  usage: Usage | null;
}

/** Something that the reply cites. */
export interface Source {
  url: string | null;
  title: string | null;
  text: string | null;
}

/** A piece of the reply's text. */
export interface PanelDelta {
  event: "panel_delta";
  panel_id: string;
  delta: string;
}

/** A piece of the model's reasoning (or its summary). Never part of `content`. */
export interface PanelReasoning {
  event: "panel_reasoning";
  panel_id: string;
  delta: string;
}

/** A piece of the model's own words for refusing. Never part of `content`; the final event is `filtered`. */
export interface PanelRefusal {
  event: "panel_refusal";
  panel_id: string;
  delta: string;
}

/**
 * A call to a tool, once it is sure to be whole: when something comes after it, or the reply ends well. With
 * `complete` false, one that was cut; no verdict takes `complete` back.
 */
export interface PanelToolCall {
  event: "panel_tool_call";
  panel_id: string;
  id: string;
  name: string;
  arguments: string;
  arguments_json: Json;
  complete: boolean;
}

/** A piece of a tool call's arguments, for who asked for `tool_deltas`. Nothing to execute. */
export interface PanelToolDelta {
  event: "panel_tool_delta";
  panel_id: string;
  id: string;
  name: string;
  delta: string;
}

/**
 * The question is asked again, after something was shown or elsewhere.
 *
 * `fallback`: another provider is asked from the start; reasoning that was shown does not count any more.
 * `resume`: the stream broke, and the same provider is asked to go on; the text that was shown stands.
 */
export interface PanelRetry {
  event: "panel_retry";
  panel_id: string;
  reason: "fallback" | "resume";
  /** Who is asked now. */
  provider: string;
  model: string;
  /** What happened before. */
  code: ErrorCode;
  error: string;
}

/** A citation or a search result that the reply rests on. */
export interface PanelSource {
  event: "panel_source";
  panel_id: string;
  url: string | null;
  title: string | null;
  text: string | null;
}

/** The last event of a stream that ended by the rules of its wire. Read `status` before you call it whole. */
export interface PanelFinal {
  event: "panel_final";
  panel_id: string;
  content: string;
  privacy: Privacy;
  /** The provider's own word, untouched. */
  finish_reason: string | null;
  status: Status;
  truncated: boolean;
  /** What the model was at when it was truncated. */
  truncated_in: "reasoning" | "text" | "tool_call" | null;
  provider: string;
  /** The API that was spoken: openai_chat, openai_responses, anthropic or gemini. */
  wire: string;
  /** The model that answered, as the provider names it; the one asked for where it does not say. */
  model: string;
  usage: Usage;
  /** US dollars by the provider's price list; null where the price is unknown or the extra `[cost]` is missing. */
  cost: number | null;
  timing: Timing;
  request_id: string | null;
  /** The assistant's turn, to be appended to `messages`. */
  message: Message;
  segments?: Segment[];
  reasoning?: string;
  refusal?: string;
  tool_calls?: ToolCall[];
  sources?: Source[];
}

/** The last event of a stream that broke or was refused. `error` is safe to show in a browser. */
export interface PanelError {
  event: "panel_error";
  panel_id: string;
  error: string;
  error_type: "APIError" | "StreamingError";
  code: ErrorCode;
  /** The text that had arrived. */
  content: string;
  provider: string;
  wire: string;
  model: string;
  status_code: number | null;
  retryable: boolean;
  /** Seconds that the provider asks to wait. */
  retry_after: number | null;
  usage: Usage;
  cost: number | null;
  timing: Timing;
  request_id: string | null;
  /** The assistant's turn as far as it came, with `partial` set. */
  message: Message;
  segments?: Segment[];
  reasoning?: string;
  refusal?: string;
  tool_calls?: ToolCall[];
  sources?: Source[];
}

export type PanelEnd = PanelFinal | PanelError;

export type PanelEvent =
  | PanelDelta
  | PanelReasoning
  | PanelRefusal
  | PanelToolDelta
  | PanelToolCall
  | PanelSource
  | PanelRetry
  | PanelEnd;

/** How one panel of a batch ended. */
export interface PanelSummary {
  panel_id: string;
  provider: string;
  model: string;
  /** Of a `panel_final`; null where it was a `panel_error`. */
  status: Status | null;
  /** Of a `panel_error`; null where it was a `panel_final`. */
  code: ErrorCode | null;
  first_delta_seconds: number | null;
  total_seconds: number;
  usage: Usage;
  cost: number | null;
}

/** The last event of `stream_many`, after the terminal events of all panels. */
export interface BatchFinal {
  event: "batch_final";
  panel_id: null;
  /** In the order in which they were asked. */
  panels: PanelSummary[];
  /** Until the last one had ended. */
  total_seconds: number;
  /** The sum; null where a panel's is unknown. */
  cost: number | null;
}

export type BatchEvent = PanelEvent | BatchFinal;

/** One panel in a snapshot. `provider` and `model` are null until its terminal event names them. */
export interface PanelSnapshot {
  panel_id: string;
  content: string;
  reasoning: string;
  refusal: string;
  tool_calls: ToolCall[];
  sources: Source[];
  provider: string | null;
  model: string | null;
  end: PanelEnd | null;
}

/** All that was said up to a position, in the place of the events before it. */
export interface StreamSnapshot {
  event: "stream_snapshot";
  panel_id: null;
  panels: PanelSnapshot[];
  /** The summary, where all of several panels have ended. */
  batch: BatchFinal | null;
}

/** All that a reader of the server's streams can get. */
export type StreamEvent = BatchEvent | StreamSnapshot;
