/** A reply in words for the page. Pure. */

import type { PanelState } from "msgmodel-client";
import { brokenWords, ERROR_WORDS, errorWords, statusWords } from "msgmodel-client/wording";
import type { Reply } from "./model";

export type Ending =
  | "streaming"
  | "complete"
  | "truncated"
  | "filtered"
  | "tool_calls"
  | "paused"
  | "unknown"
  | "broken"
  | "stopped";

/** Return the reply with what has arrived. */
export function copyState(reply: Reply, state: PanelState): Reply {
  const retry = state.retries.at(-1);
  return {
    ...reply,
    content: state.text,
    reasoning: state.reasoning,
    refusal: state.refusal,
    toolCalls: state.toolCalls,
    sources: state.sources,
    end: state.end,
    note: retry
      ? { reason: retry.reason, provider: retry.provider, model: retry.model, error: retry.error }
      : reply.note,
  };
}

export function endingOf(reply: Reply): Ending {
  if (reply.lost !== null) return reply.lost.code === "cancelled" ? "stopped" : "broken";
  if (reply.end === null) return "streaming";
  if (reply.end.event === "panel_error") return reply.end.code === "cancelled" ? "stopped" : "broken";
  return reply.end.status;
}

/** Return the words for the badge; empty if the reply is complete or still being written. */
export function badgeWords(reply: Reply): string {
  const ending = endingOf(reply);
  if (ending === "stopped") return ERROR_WORDS.cancelled.label;
  if (ending === "broken") return brokenWords(reply.content !== "");
  return reply.end?.event === "panel_final" ? statusWords(reply.end) : "";
}

/** An error for the error card. `message` is the server's, which holds no secret. */
export interface ShownError {
  code: string;
  label: string;
  message: string;
  advice: string;
  retryAfter: number | null;
}

/** Return the error that ended the reply; null if none did, or if the user stopped it. */
export function errorOf(reply: Reply): ShownError | null {
  if (endingOf(reply) !== "broken") return null;
  const failed = reply.end?.event === "panel_error" ? reply.end : null;
  const code = reply.lost?.code ?? failed?.code ?? "";
  const message = reply.lost?.message ?? failed?.error ?? "";
  return { code, message, ...errorWords(code), retryAfter: reply.lost ? null : (failed?.retry_after ?? null) };
}

/** Return what a screen reader says when the reply has ended. */
export function spokenEnding(reply: Reply): string {
  const words = [...new Set([badgeWords(reply), errorOf(reply)?.label])].filter(Boolean).join(": ");
  return `${reply.provider}: ${words.toLowerCase() || "reply complete"}`;
}

const formatSeconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} s`;

/** Return a price with as many digits as are meaningful. */
export const formatDollars = (value: number): string =>
  value === 0 ? "$0" : value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;

export interface UsageFact {
  label: string;
  value: string;
  title?: string;
}

/** Return the facts for the line under a reply. */
export function usageFacts(reply: Reply): UsageFact[] {
  const end = reply.end;
  if (end === null) return [];
  const { usage, timing, cost } = end;
  const facts: UsageFact[] = [];
  // The estimate of a request that was refused: the provider never saw a token.
  const unused = usage.source === "estimated" && !usage.input_tokens && !usage.output_tokens;
  if (!unused && (usage.input_tokens !== null || usage.output_tokens !== null)) {
    const about = usage.source === "estimated" ? "≈ " : "";
    const details = [
      usage.reasoning_tokens ? `${usage.reasoning_tokens} of them reasoning` : "",
      usage.cached_tokens ? `${usage.cached_tokens} from the cache` : "",
      usage.source === "estimated" ? "estimated: the provider did not report the usage" : "",
    ];
    facts.push({
      label: "tokens",
      value: `${about}${usage.input_tokens ?? "?"} in, ${usage.output_tokens ?? "?"} out`,
      title: details.filter(Boolean).join("; "),
    });
  }
  if (cost !== null && !unused) facts.push({ label: "cost", value: formatDollars(cost) });
  if (timing.first_delta_seconds !== null) {
    facts.push({ label: "first token", value: formatSeconds(timing.first_delta_seconds) });
  }
  facts.push({ label: "total", value: formatSeconds(timing.total_seconds) });
  if (timing.attempts > 1) facts.push({ label: "requests", value: String(timing.attempts) });
  return facts;
}
