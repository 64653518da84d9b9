// How a reply ended, in words for a page: the one table in TypeScript. A new status or code does not compile without
// its words here.

import type { ErrorCode, MediaKind, PanelFinal, Status, ToolCallKind, ToolRun } from "./events.js";

/** The words for each verdict on a reply that ended with `panel_final`. Empty: there is nothing to add. */
export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  complete: "",
  truncated: "Cut off",
  filtered: "Filtered by the provider",
  tool_calls: "Waits for a tool's result",
  waiting: "Waits for a decision",
  paused: "Paused by the provider",
  unknown: "Ended for an unknown reason",
};

/** What is added to the words for `truncated`, by `truncated_in`. */
const TRUNCATED_IN_WORDS = { reasoning: " while it was thinking", tool_call: " inside a tool call", text: "" } as const;

export interface ErrorWords {
  /** What happened, in a few words. */
  label: string;
  /** What the user can do about it. */
  advice: string;
}

/** Codes of a `StreamError` that no `panel_error` has. */
type ClientCode = "expired" | "http";

/** The words for each error code. A page shows them beside the error's own message. */
export const ERROR_WORDS: Readonly<Record<ErrorCode | ClientCode, ErrorWords>> = {
  authentication: {
    label: "The key was not accepted",
    advice: "Check the key on the server, or choose another provider.",
  },
  permission: {
    label: "The key does not allow this",
    advice: "Check what the key on the server may use, or choose another provider.",
  },
  not_found: { label: "The model was not found", advice: "Check the name of the model." },
  rate_limit: { label: "Too many requests", advice: "Wait a moment, then retry." },
  quota: {
    label: "The account's quota is used up",
    advice: "Waiting does not help: check the plan and the billing of the account.",
  },
  context_length: {
    label: "The conversation is too long for this model",
    advice: "Start a new conversation, or choose a model with a larger context.",
  },
  too_large: { label: "The request is too large", advice: "Send less text, or fewer or smaller files." },
  invalid_request: { label: "The request was not accepted", advice: "Check the settings, the model and the files." },
  content_policy: { label: "Refused by the provider's policy", advice: "Change the question." },
  overloaded: { label: "The provider is overloaded", advice: "Wait a moment, then retry." },
  server: { label: "The provider had an internal error", advice: "Retry." },
  network: { label: "No connection", advice: "Check the network, then retry." },
  timeout: { label: "The reply took too long", advice: "Retry, or choose a faster model." },
  interrupted: { label: "The connection broke", advice: "Resume from the text so far, or retry." },
  protocol: { label: "The answer could not be read", advice: "Retry, or choose another provider." },
  reply_too_large: {
    label: "The reply was longer than the server allows",
    advice: "Ask for a shorter reply, or raise the server's limit.",
  },
  cancelled: { label: "Stopped", advice: "" },
  expired: { label: "The server no longer has this reply", advice: "Resume from the text so far, or retry." },
  http: {
    label: "The server did not answer as expected",
    advice: "Retry; a proxy in front of the server may be at fault.",
  },
};

/** Return the words for a verdict; empty if the reply is complete. */
export function statusWords(end: PanelFinal): string {
  if (end.status === "truncated") return STATUS_WORDS.truncated + TRUNCATED_IN_WORDS[end.truncated_in ?? "text"];
  if (end.status === "filtered" && end.refusal) return "Refused by the model";
  return STATUS_WORDS[end.status];
}

/** Return the words for an error code; a code of a later version has a label alone. */
export function errorWords(code: string): ErrorWords {
  return Object.hasOwn(ERROR_WORDS, code) ? ERROR_WORDS[code as ErrorCode] : { label: "Failed", advice: "" };
}

/** Return the words for a reply that ended in an error, by whether any text had arrived. */
export function brokenWords(hasText: boolean): string {
  return hasText ? "Broke off" : "Failed";
}

/** The words for a reply without any text, part or call. */
export const EMPTY_WORDS = "The model ended its reply without any text.";

/** The words for the state of a tool that the provider runs itself. `open`: the reply ended before the tool did. */
export const RUN_WORDS: Readonly<Record<ToolRun["status"] | "open", string>> = {
  started: "running…",
  done: "done",
  failed: "failed",
  open: "not finished",
};

/** The words for what the model asks the application to run. */
export const CALL_WORDS: Readonly<Record<ToolCallKind, string>> = {
  function: "waits for the result of a function",
  custom: "waits for the result of a custom tool",
  computer: "waits for an action on a computer",
  shell: "waits for commands in a shell",
  local_shell: "waits for commands in a shell",
  apply_patch: "waits for a change of files",
  tool_search: "waits for a search for tools",
  approval: "waits for your approval: the provider runs it if you approve",
};

/** The names of parts that are not text. */
export const PART_WORDS: Readonly<Record<MediaKind, string>> = {
  image: "Image",
  audio: "Audio",
  video: "Video",
  document: "Document",
  file: "File",
};

/** Return the words for the kinds of what a reply held and no event shows; empty if there are none. */
export function untoldWords(untold: readonly string[]): string {
  return untold.length > 0 ? `The reply also held what is not shown here: ${untold.join(", ")}.` : "";
}
