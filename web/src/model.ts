/** What the page keeps: plain data, safe for JSON and for IndexedDB.
 *
 * Rule: nothing here is changed in place. A change makes new objects and keeps the unchanged ones, so the page draws
 * exactly the parts that got new objects. `readonly` lets the compiler hold the rule.
 */

import type { PanelEnd, Source, ToolCall } from "msgmodel-client";

export type { PanelEnd, Source, ToolCall };

/** A file of the user's. Its bytes are in the database under `id`, so that saving a conversation stays cheap. */
export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** A fallback provider was asked, or the stream was resumed after a break (`panel_retry`). */
export interface RetryNote {
  readonly reason: "fallback" | "resume";
  readonly provider: string;
  readonly model: string;
  readonly error: string;
}

/** One try at an answer. If it has no `end` and no stream writes to it, `lost` says why. */
export interface Reply {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  readonly content: string;
  readonly reasoning: string;
  readonly refusal: string;
  readonly toolCalls: readonly ToolCall[];
  readonly sources: readonly Source[];
  readonly note: RetryNote | null;
  readonly end: PanelEnd | null;
  readonly lost: Failure | null;
}

/** Why a reply has no terminal event: the error of the server, or of the connection to it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A question and the tries at its answer. The last one counts; the earlier ones stay readable. */
export interface Turn {
  readonly id: string;
  readonly kind: "typed" | "continue" | "resume";
  readonly text: string;
  readonly files: readonly Attachment[];
  readonly replies: readonly Reply[];
}

export interface Panel {
  readonly id: string;
  readonly provider: string;
  /** Empty: the provider's default. */
  readonly model: string;
  readonly turns: readonly Turn[];
}

export interface Settings {
  readonly system: string;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly reasoning: "" | "none" | "low" | "medium" | "high";
}

/** A stream that runs at the server. `id` is null until the server has answered; `key` identifies it before that. */
export interface Stream {
  readonly id: string | null;
  readonly key: string;
  readonly askedAt: number;
  /** The id of the reply that the stream writes to, by the id of its panel. */
  readonly replies: Readonly<Record<string, string>>;
}

export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly panels: readonly Panel[];
  readonly settings: Settings;
  readonly streams: readonly Stream[];
}

export const MAX_PANELS = 4;

export const newId = (): string => {
  // crypto.randomUUID exists only in secure contexts, and a page from a server in the local network is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

export const newPanel = (provider: string, model = ""): Panel => ({ id: newId(), provider, model, turns: [] });

export const newConversation = (panels: readonly Panel[]): Conversation => ({
  id: newId(),
  title: "",
  createdAt: Date.now(),
  updatedAt: Date.now(),
  panels,
  settings: { system: "", maxTokens: null, temperature: null, reasoning: "" },
  streams: [],
});

export const newTurn = (kind: Turn["kind"], text: string, files: readonly Attachment[] = []): Turn => ({
  id: newId(),
  kind,
  text,
  files,
  replies: [],
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

export const lastReply = (turn: Turn): Reply | undefined => turn.replies.at(-1);

/** Whether anything was asked in the conversation. One without a question is neither listed nor saved. */
export const hasQuestions = (conversation: Conversation): boolean =>
  conversation.panels.some((panel) => panel.turns.length > 0);

export const isBusy = (conversation: Conversation): boolean => conversation.streams.length > 0;

/** Return the conversation with this panel changed. */
export const changePanel = (
  conversation: Conversation,
  panelId: string,
  change: (panel: Panel) => Panel,
): Conversation => ({
  ...conversation,
  panels: conversation.panels.map((panel) => (panel.id === panelId ? change(panel) : panel)),
});

/** Return the panel with this reply added to its turn, or to a new turn. */
export function addReply(panel: Panel, turn: Turn, reply: Reply): Panel {
  const answered: Turn = { ...turn, replies: [...turn.replies, reply] };
  const known = panel.turns.some(({ id }) => id === turn.id);
  const turns = panel.turns.map((other) => (other.id === turn.id ? answered : other));
  return { ...panel, turns: known ? turns : [...turns, answered] };
}

/** Return the conversation with these replies, given by panel id, in place of their earlier versions. */
export function replaceReplies(conversation: Conversation, replies: ReadonlyMap<string, Reply>): Conversation {
  return [...replies].reduce(
    (changed, [panelId, reply]) =>
      changePanel(changed, panelId, (panel) => ({
        ...panel,
        turns: panel.turns.map((turn) => (holdsReply(turn, reply.id) ? replaceReply(turn, reply) : turn)),
      })),
    conversation,
  );
}

const holdsReply = (turn: Turn, replyId: string): boolean => turn.replies.some(({ id }) => id === replyId);

const replaceReply = (turn: Turn, reply: Reply): Turn => ({
  ...turn,
  replies: turn.replies.map((other) => (other.id === reply.id ? reply : other)),
});

/** A panel, the turn in it that a stream answers, and the reply that the stream writes to. */
export interface Question {
  readonly panel: Panel;
  readonly turn: Turn;
  readonly reply: Reply;
}

/** Return the questions that a stream of the conversation answers. */
export function questionsOf(conversation: Conversation, stream: Stream): Question[] {
  return conversation.panels.flatMap((panel) =>
    panel.turns.flatMap((turn) =>
      turn.replies.filter(({ id }) => id === stream.replies[panel.id]).map((reply) => ({ panel, turn, reply })),
    ),
  );
}
