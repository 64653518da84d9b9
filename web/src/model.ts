/** What the page keeps: plain data, safe for JSON and for IndexedDB. */

import type { PanelEnd, Source, ToolCall } from "msgmodel-client";

export type { PanelEnd, Source, ToolCall };

/** A file of the user's. Its bytes are in the database under `id`, so that saving a conversation stays cheap. */
export interface Attachment {
  id: string;
  name: string;
  type: string;
  size: number;
}

/** The question went elsewhere, or was asked again after a break (`panel_retry`). */
export interface Note {
  reason: "fallback" | "resume";
  provider: string;
  model: string;
  error: string;
}

/** One try at an answer. Without `end` and without a stream it was left, and `lost` says why. */
export interface Reply {
  id: string;
  provider: string;
  model: string;
  content: string;
  reasoning: string;
  refusal: string;
  toolCalls: readonly ToolCall[];
  sources: readonly Source[];
  note: Note | null;
  end: PanelEnd | null;
  lost: Failure | null;
}

/** What the server, or the way to it, said in the place of a stream. */
export interface Failure {
  code: string;
  message: string;
}

/** A question and the tries at its answer. The last one counts; the others stay to be read. */
export interface Turn {
  id: string;
  kind: "typed" | "continue" | "resume";
  text: string;
  files: Attachment[];
  replies: Reply[];
}

export interface Panel {
  id: string;
  provider: string;
  /** Empty: the provider's default. */
  model: string;
  turns: Turn[];
}

export interface Settings {
  system: string;
  maxTokens: number | null;
  temperature: number | null;
  reasoning: "" | "none" | "low" | "medium" | "high";
}

/** A stream that runs at the server. `id` is null until the server has answered; `key` finds it even so. */
export interface Stream {
  id: string | null;
  key: string;
  askedAt: number;
  /** The panels it answers, by the panel's id, and the reply that each one writes to. */
  replies: Record<string, string>;
}

export interface Conversation {
  id: string;
  title: string;
  createdAt: number;
  updatedAt: number;
  panels: Panel[];
  settings: Settings;
  streams: Stream[];
}

export const MAX_PANELS = 4;

export const newId = (): string => {
  // crypto.randomUUID exists only in secure contexts, and a server in a local network is none.
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

export const newPanel = (provider: string, model = ""): Panel => ({ id: newId(), provider, model, turns: [] });

export const newConversation = (panels: Panel[]): Conversation => ({
  id: newId(),
  title: "",
  createdAt: Date.now(),
  updatedAt: Date.now(),
  panels,
  settings: { system: "", maxTokens: null, temperature: null, reasoning: "" },
  streams: [],
});

export const newReply = (provider: string, model: string): Reply => ({
  id: newId(),
  provider,
  model,
  content: "",
  reasoning: "",
  refusal: "",
  toolCalls: [],
  sources: [],
  note: null,
  end: null,
  lost: null,
});

export const lastReply = (turn: Turn): Reply | undefined => turn.replies[turn.replies.length - 1];
