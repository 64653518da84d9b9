/** What the page keeps: plain data, safe for JSON and for IndexedDB.
 *
 * Rule: nothing here is changed in place. A change makes new objects and keeps the unchanged ones, so the page draws
 * exactly the parts that got new objects. `readonly` lets the compiler hold the rule.
 */

import type { PanelEnd, PanelPart, PanelProgress, Source, ToolCall, ToolRun, ToolStep } from "msgmodel-client";
import { everyTurn, mapTurns } from "./tree";

export type { PanelEnd, PanelPart, PanelProgress, Source, ToolCall, ToolRun, ToolStep };

/** A file of the user's. Its bytes are in the database under `id`, so that saving a conversation stays cheap. */
export interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

/** A provider was asked again, a fallback was asked, or the stream was resumed after a break (`panel_retry`). */
export interface RetryNote {
  readonly reason: "retry" | "fallback" | "resume" | "repair";
  readonly provider: string;
  readonly model: string;
  readonly error: string;
  /** How many such notes the reply has had. */
  readonly count?: number;
  /** With `retry`: the number of the new request, and when it is sent, in ms since 1970. */
  readonly attempt?: number | null;
  readonly until?: number | null;
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
  /** Images, audio and files. A reply that an earlier version has saved has none of these two. */
  readonly parts?: readonly PanelPart[];
  readonly toolRuns?: readonly ToolRun[];
  /** The calls of a run of tools, which the server runs. */
  readonly steps?: readonly ToolStep[];
  /** What a reply that is being written waits for. */
  readonly progress?: PanelProgress;
  readonly note: RetryNote | null;
  readonly end: PanelEnd | null;
  readonly lost: Failure | null;
  /** What it was asked with, as far as its ending depends on it. */
  readonly asked?: {
    readonly maxTokens: number | null;
    readonly budget: number | null;
    /** In ms since 1970. */
    readonly at?: number;
  };
  /** When the model thought, in ms since 1970; `to` is null while it does. */
  readonly thought?: { readonly from: number; readonly to: number | null };
  /** At which word it was taken up again after a reload or a break. */
  readonly pickedUp?: number;
  /** How many characters it had then. */
  readonly pickedUpAt?: number;
}

/** Why a reply has no terminal event: the error of the server, or of the connection to it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Seconds that the server asks to wait. */
  readonly wait?: number | null;
}

/** Whether the user allows a call that the provider will run. */
export interface Decision {
  readonly callId: string;
  readonly approve: boolean;
}

/** A question and the tries at its answer. One of them is shown, and counts; the others stay readable.
 *
 * A turn that version 5.0 has saved has none of the keys that may be absent: it is a tree of one branch.
 */
export interface Turn {
  readonly id: string;
  readonly kind: "typed" | "continue" | "resume" | "decide";
  readonly text: string;
  readonly files: readonly Attachment[];
  /** Of a turn of the kind `decide`: which calls the user has allowed. */
  readonly decisions?: readonly Decision[];
  /** When it was asked, in ms since 1970. */
  readonly askedAt?: number;
  /** Turns of several panels that were asked at once have the same round. */
  readonly round?: string;
  readonly replies: readonly Reply[];
  /** The id of the reply that is shown; without it, the last one is. */
  readonly shown?: string;
  /** What followed the replies that are not shown, by their ids. */
  readonly after?: Readonly<Record<string, Branch>>;
  /** The other versions of this question with what followed them, in the order in which they were asked. */
  readonly versions?: readonly Branch[];
  /** How many of `versions` were asked before this one. */
  readonly place?: number;
}

/** Turns that follow each other. `tree.ts` has what can be done with them. */
export type Branch = readonly Turn[];

export interface Panel {
  readonly id: string;
  readonly provider: string;
  /** Empty: the provider's default. */
  readonly model: string;
  /** The branch that is shown. */
  readonly turns: Branch;
  /** What differs here from the settings of the conversation. */
  readonly settings?: Partial<Settings>;
}

export interface Settings {
  readonly system: string;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly reasoning: "" | "none" | "low" | "medium" | "high";
  /** US dollars for one reply. What version 5.0 has saved has none. */
  readonly maxCost?: number | null;
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
  readonly pinned?: boolean;
}

export const MAX_PANELS = 4;

export const newId = (): string => {
  // crypto.randomUUID exists only in secure contexts, and a page from a server in the local network is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

export const newPanel = (provider: string, model = ""): Panel => ({ id: newId(), provider, model, turns: [] });

export const NO_SETTINGS: Settings = { system: "", maxTokens: null, temperature: null, reasoning: "", maxCost: null };

export const newConversation = (panels: readonly Panel[], settings: Settings = NO_SETTINGS): Conversation => ({
  id: newId(),
  title: "",
  createdAt: Date.now(),
  updatedAt: Date.now(),
  panels,
  settings,
  streams: [],
});

export const newTurn = (kind: Turn["kind"], text: string, files: readonly Attachment[] = []): Turn => ({
  id: newId(),
  kind,
  text,
  files,
  askedAt: Date.now(),
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
  parts: [],
  toolRuns: [],
  note: null,
  end: null,
  lost: null,
});

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

/** Return what a panel is asked with: the settings of the conversation, and what differs in the panel. */
export const settingsFor = (conversation: Conversation, panel: Panel): Settings => ({
  ...NO_SETTINGS,
  ...conversation.settings,
  ...panel.settings,
});

/** Return the conversation with these replies, given by panel id, in place of their earlier versions. */
export function replaceReplies(conversation: Conversation, replies: ReadonlyMap<string, Reply>): Conversation {
  return [...replies].reduce(
    (changed, [panelId, reply]) =>
      changePanel(changed, panelId, (panel) => ({
        ...panel,
        turns: mapTurns(panel.turns, (turn) => (holdsReply(turn, reply.id) ? replaceReply(turn, reply) : turn)),
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
    [...everyTurn(panel.turns)].flatMap((turn) =>
      turn.replies.filter(({ id }) => id === stream.replies[panel.id]).map((reply) => ({ panel, turn, reply })),
    ),
  );
}
