// How a reply ended, in words for a page: the one table in TypeScript. A new status or code does not compile without
// its words here.

import type { ErrorCode, PanelFinal, Status } from "./events.js";

/** The words for each verdict on a reply that ended with `panel_final`. Empty: there is nothing to add. */
export const STATUS_WORDS: Readonly<Record<Status, string>> = {
  complete: "",
  truncated: "Cut off",
  filtered: "Filtered by the provider",
  tool_calls: "Waits for a tool's result",
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
