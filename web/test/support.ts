// Conversations and helpers that the tests share.

import type { PanelEnd, PanelError, PanelFinal, StreamEvent } from "msgmodel-client";
import { type Conversation, newConversation, newPanel, newReply, newTurn, type Reply } from "../src/model";
import { addReply } from "../src/tree";

/** Freeze a value and everything in it, so that a change in place throws. */
export function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(Object.freeze(value)).forEach(frozen);
  }
  return value;
}

const USAGE = {
  input_tokens: 12,
  output_tokens: 34,
  reasoning_tokens: null,
  cached_tokens: null,
  cache_write_tokens: null,
  source: "provider",
} as const;

export function final(panelId: string, content: string, rest: Partial<PanelFinal> = {}): PanelFinal {
  return {
    event: "panel_final",
    panel_id: panelId,
    content,
    finish_reason: "stop",
    status: "complete",
    truncated: false,
    truncated_in: null,
    provider: "openai",
    wire: "openai_chat",
    model: "a-model",
    usage: USAGE,
    cost: null,
    timing: { first_delta_seconds: 0.25, total_seconds: 12.34, attempts: 1 },
    request_id: null,
    message: { role: "assistant", content },
    ...rest,
  } as PanelFinal;
}

export function failed(panelId: string, content: string, code: PanelError["code"], error = "It failed."): PanelError {
  const { finish_reason, status, truncated, truncated_in, ...common } = final(panelId, content);
  const rest = { error_type: "StreamingError", status_code: null, retryable: false, retry_after: null } as const;
  return { ...common, ...rest, event: "panel_error", error, code };
}

export const delta = (panelId: string, text: string): StreamEvent => ({
  event: "panel_delta",
  panel_id: panelId,
  delta: text,
});

export const replyWith = (rest: Partial<Reply>): Reply => ({ ...newReply("openai", "a-model"), ...rest });

export const ended = (end: PanelEnd): Reply => replyWith({ content: end.content, end });

/** Return a conversation of panels with these replies to one question. */
export function answered(...replies: Reply[]): Conversation {
  const panels = replies.map((reply) => addReply(newPanel(reply.provider), newTurn("typed", "Hello?"), reply));
  return { ...newConversation(panels), title: "Hello?" };
}
