/** What a reply says about how it ended, in words for the page. Pure. */

import type { PanelState } from "msgmodel-client";
import type { Reply } from "./model";

export type Ending = "streaming" | "complete" | "truncated" | "filtered" | "tool_calls" | "paused" | "unknown" | "broken" | "stopped";

/** Copies what has arrived into the reply that is kept. */
export function absorb(reply: Reply, state: PanelState): void {
  reply.content = state.text;
  reply.reasoning = state.reasoning;
  reply.refusal = state.refusal;
  reply.toolCalls = state.toolCalls;
  reply.sources = state.sources;
  reply.end = state.end;
  const again = state.retries.at(-1);
  if (again) reply.note = { reason: again.reason, provider: again.provider, model: again.model, error: again.error };
}

export function ending(reply: Reply): Ending {
  if (reply.lost !== null) return reply.lost.code === "cancelled" ? "stopped" : "broken";
  if (reply.end === null) return "streaming";
  if (reply.end.event === "panel_error") return reply.end.code === "cancelled" ? "stopped" : "broken";
  return reply.end.status;
}

/** What the badge says, and what a screen reader is told. Null: there is nothing to add. */
export function badge(reply: Reply): string | null {
  switch (ending(reply)) {
    case "truncated": {
      const at = reply.end?.event === "panel_final" ? reply.end.truncated_in : null;
      const place = { reasoning: " while it was thinking", tool_call: " inside a tool call", text: "" };
      return `Cut off${at ? place[at] : ""}`;
    }
    case "filtered":
      return reply.refusal ? "Refused by the model" : "Filtered by the provider";
    case "tool_calls":
      return "Waits for a tool's result";
    case "paused":
      return "Paused by the provider";
    case "unknown":
      return "Ended for an unknown reason";
    case "stopped":
      return "Stopped";
    case "broken":
      return reply.content ? "Broke off" : "Failed";
    default:
      return null;
  }
}

/** The error as it may be shown: the server's words, which hold no secret. */
export function failure(reply: Reply): { code: string; message: string; retryAfter: number | null } | null {
  if (ending(reply) === "stopped") return null;
  if (reply.lost !== null) return { ...reply.lost, retryAfter: null };
  if (reply.end?.event !== "panel_error") return null;
  return { code: reply.end.code, message: reply.end.error, retryAfter: reply.end.retry_after };
}

/** What the user can do about it. */
export function advice(code: string): string | null {
  switch (code) {
    case "authentication":
    case "permission":
      return "The key on the server was not accepted. Another provider may be ready.";
    case "not_found":
      return "Check the name of the model.";
    case "rate_limit":
    case "overloaded":
      return "Wait a moment, then retry.";
    case "quota":
      return "The account has used up what it may use.";
    case "context_length":
      return "The conversation has become too long for this model. Start a new one, or choose a larger model.";
    case "reply_too_large":
      return "The reply was stopped: it was longer than this server allows.";
    default:
      return null;
  }
}

export function spokenEnding(reply: Reply, name: string): string {
  const said = badge(reply);
  return said === null ? `${name}: reply complete` : `${name}: ${said.toLowerCase()}`;
}

const seconds = (value: number): string => (value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(1)} s`);

/** A price with as many digits as say something. */
export const dollars = (value: number): string =>
  value === 0 ? "$0" : value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;

/** Label and value, for the line under a reply. */
export function facts(reply: Reply): { label: string; value: string; title?: string }[] {
  const end = reply.end;
  if (end === null) return [];
  const { usage, timing, cost } = end;
  const found: { label: string; value: string; title?: string }[] = [];
  const unasked = usage.source === "estimated" && !usage.input_tokens && !usage.output_tokens; // refused before a token
  if (!unasked && (usage.input_tokens !== null || usage.output_tokens !== null)) {
    const about = usage.source === "estimated" ? "≈ " : "";
    const details = [
      usage.reasoning_tokens ? `${usage.reasoning_tokens} of them reasoning` : "",
      usage.cached_tokens ? `${usage.cached_tokens} from the cache` : "",
      usage.source === "estimated" ? "estimated: the provider did not say" : "",
    ];
    found.push({
      label: "tokens",
      value: `${about}${usage.input_tokens ?? "?"} in, ${usage.output_tokens ?? "?"} out`,
      title: details.filter(Boolean).join("; "),
    });
  }
  if (cost !== null && !unasked) found.push({ label: "cost", value: dollars(cost) });
  if (timing.first_delta_seconds !== null) found.push({ label: "first token", value: seconds(timing.first_delta_seconds) });
  found.push({ label: "total", value: seconds(timing.total_seconds) });
  if (timing.attempts > 1) found.push({ label: "requests", value: String(timing.attempts) });
  return found;
}
