/** Follows one stream into the replies that are kept.
 *
 * Rule: what has arrived is never lost. However a stream ends, its text stays in the reply, and the reply says why.
 */

import { batch, type Signal, signal } from "@preact/signals";
import {
  type ConnectionStatus,
  initial,
  type PanelState,
  type PanelStream,
  reduce,
  StreamError,
  type StreamOptions,
  stopStream,
} from "msgmodel-client";
import { announce } from "./announce";
import { type Conversation, type Failure, type Reply, replaceReplies, type Stream } from "./model";
import { copyState, countWords, spokenEnding } from "./reply";
import { changeConversation } from "./store";
import { texts } from "./texts";
import { authorizedFetch } from "./token";

const FRAMES_PER_ROUND = 4; // in which all panels are shown once; a panel draws its text at most 20 times a second anyway
const SAVE_EVERY = 1000; // ms; a reload loses at most this much, even if the server has forgotten the stream

interface LiveReply {
  /** The reply as it is now, new with every frame; the conversation's copy follows once in SAVE_EVERY. */
  readonly latest: Signal<Reply>;
  readonly connection: Signal<ConnectionStatus>;
}

/** The replies that are being written, by id. */
const liveReplies = signal<ReadonlyMap<string, LiveReply>>(new Map());

/** The followers of the streams that run, by the key of the stream. */
const followers = new Map<string, Follower>();

export const isLive = (reply: Reply | undefined): boolean => reply !== undefined && liveReplies.value.has(reply.id);

/** Return the reply as it is now: while it is being written, the one in its conversation is behind. */
export const latestOf = (reply: Reply): Reply => liveReplies.value.get(reply.id)?.latest.value ?? reply;

export const connectionOf = (reply: Reply): ConnectionStatus =>
  liveReplies.value.get(reply.id)?.connection.value ?? "closed";

export const followerOf = (stream: Stream): Follower | undefined => followers.get(stream.key);

/** Save what has arrived of every reply, before the page is left. */
export function saveLiveReplies(): void {
  for (const follower of followers.values()) follower.save();
}

export class Follower {
  #state = initial();
  /** What is shown of each panel, by its id; the one that was shown last stands last. */
  readonly #shown = new Map<string, PanelState>();
  #frame = 0;
  #savedAt = 0;
  #streamId: string | null;
  /** By the id of their panel. */
  readonly #replies = new Map<string, LiveReply>();
  /** The panels to stop as soon as the stream's id is known; undefined means all. */
  #stopsToSend: (string | undefined)[] = [];
  #stopping = false;
  /** Whether the stream is taken up again, after a reload or a break. */
  #wasAway: boolean;
  readonly #left = new AbortController();

  /** `replies`: by the id of their panel. `guest`: whether another tab has begun the stream and saves what comes. */
  constructor(
    private readonly conversationId: string,
    private readonly stream: Stream,
    replies: ReadonlyMap<string, Reply>,
    private readonly guest = false,
  ) {
    this.#streamId = stream.id;
    this.#wasAway = stream.id !== null && !guest;
    for (const [panelId, reply] of replies) {
      this.#replies.set(panelId, { latest: signal(reply), connection: signal<ConnectionStatus>("connecting") });
    }
    const unfinished = [...this.#replies.values()].filter(({ latest }) => latest.value.end === null);
    liveReplies.value = new Map([
      ...liveReplies.value,
      ...unfinished.map((reply) => [reply.latest.value.id, reply] as const),
    ]);
    followers.set(stream.key, this);
  }

  /** Read the stream that `begin` starts, to its end. `askAnew`: what to do if the server refuses the question. */
  async read(
    begin: (options: Pick<StreamOptions, "signal" | "fetch" | "onStatus">) => PanelStream,
    askAnew: (() => Promise<void>) | null = null,
  ): Promise<void> {
    const reading = begin({
      signal: this.#left.signal,
      fetch: authorizedFetch,
      onStatus: (status) => this.#noteConnection(status, reading.streamId),
    });
    try {
      for await (const event of reading) {
        this.#state = reduce(this.#state, event);
        if (event.event === "panel_final" || event.event === "panel_error" || event.event === "stream_snapshot") {
          this.#publish();
          this.#settle();
        } else this.#publishSoon();
      }
      this.finish(null);
    } catch (error) {
      if (askAnew !== null && isRefusal(error) && this.release()) await askAnew();
      else this.finish(failureOf(error));
    }
  }

  /** Leave the replies to another follower; return false if the user has stopped them meanwhile. */
  release(): boolean {
    if (this.#stopsToSend.length > 0) return false;
    followers.delete(this.stream.key);
    this.#removeLive(this.#latestReplies());
    return true;
  }

  /** Ask the server to stop; the stream's last event reports it. A second stop of everything does not wait for that. */
  async stop(panelId: string | undefined): Promise<void> {
    if (panelId === undefined && this.#stopping) return this.#leave();
    this.#stopping ||= panelId === undefined;
    if (this.#streamId === null) {
      this.#stopsToSend.push(panelId);
      return;
    }
    try {
      const address = `v1/streams/${encodeURIComponent(this.#streamId)}`;
      await stopStream(address, panelId, { fetch: authorizedFetch });
    } catch {
      this.#leave(); // the server can't be reached, or has forgotten the stream
    }
  }

  /** Copy what has arrived into the conversation, which saves it. */
  save(): void {
    this.#savedAt = performance.now();
    changeConversation(this.conversationId, (before) => this.#withReplies(before));
  }

  /** End the stream. Replies without an end get this failure. */
  finish(failure: Failure | null): void {
    this.#publish();
    if (this.guest && failure !== null) {
      // The tab that began the stream says what became of it.
      followers.delete(this.stream.key);
      this.#removeLive(this.#latestReplies());
      return;
    }
    this.#settle();
    const unfinished = this.#latestReplies().filter((reply) => reply.value.end === null);
    for (const reply of unfinished) {
      const lost = failure ?? { code: "interrupted", message: "The stream ended before this reply did." };
      reply.value = { ...reply.value, lost };
      announce(spokenEnding(reply.value));
    }
    followers.delete(this.stream.key);
    batch(() => {
      this.#removeLive(unfinished);
      changeConversation(this.conversationId, (before) => ({
        ...this.#withReplies(before),
        streams: before.streams.filter(({ key }) => key !== this.stream.key),
      }));
    });
  }

  #leave(): void {
    this.#left.abort(new StoppedHere());
  }

  #noteConnection(status: ConnectionStatus, streamId: string | null): void {
    for (const { connection, latest } of this.#replies.values()) {
      if (status === "streaming" && this.#wasAway) latest.value = { ...latest.value, ...pickUp(latest.value) };
      connection.value = status;
    }
    if (status === "reconnecting" && !this.#wasAway) announce(texts.live.lost(0));
    if (status === "streaming") this.#wasAway = false;
    else if (status === "reconnecting" || status === "offline") this.#wasAway = true;
    if (streamId === null || this.#streamId !== null) return;
    this.#streamId = streamId;
    // Saved before the first text: a reload needs the id.
    changeConversation(this.conversationId, (before) => ({
      ...before,
      streams: before.streams.map((stream) => (stream.key === this.stream.key ? { ...stream, id: streamId } : stream)),
    }));
    this.#stopping = false;
    for (const panelId of this.#stopsToSend.splice(0)) void this.stop(panelId);
  }

  /** Replies that have ended are no longer live. */
  #settle(): void {
    const ended = this.#latestReplies().filter(({ value }) => value.end !== null && isLive(value));
    if (ended.length === 0) return;
    batch(() => {
      this.#removeLive(ended);
      this.save();
    });
    for (const reply of ended) announce(spokenEnding(reply.value));
  }

  /** Show what has arrived, a few panels with each frame: all at once would hold up the keyboard of a slow phone. */
  #publishSoon(): void {
    // A hidden page has no frames, but what it saves must be complete too.
    if (document.hidden) this.#publish();
    else this.#frame ||= requestAnimationFrame(() => this.#publish(Math.ceil(this.#replies.size / FRAMES_PER_ROUND)));
  }

  /** Show what has arrived of at most `most` panels: those that have waited longest. */
  #publish(most = Number.POSITIVE_INFINITY): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    // The reducer keeps the objects of panels that have not changed.
    const changed = this.#state.panels.filter((state) => this.#shown.get(state.id) !== state);
    const waited = (state: PanelState): number => [...this.#shown.keys()].indexOf(state.id);
    changed.sort((one, other) => waited(one) - waited(other));
    for (const state of changed.slice(0, most)) {
      const reply = this.#replies.get(state.id)?.latest;
      if (reply) reply.value = copyState(reply.value, state);
      this.#shown.delete(state.id); // so that it stands last
      this.#shown.set(state.id, state);
    }
    if (changed.length > most) this.#publishSoon();
    if (!this.guest && performance.now() - this.#savedAt >= SAVE_EVERY) this.save();
  }

  #latestReplies(): Signal<Reply>[] {
    return [...this.#replies.values()].map(({ latest }) => latest);
  }

  #removeLive(replies: Signal<Reply>[]): void {
    const ids = new Set(replies.map(({ value }) => value.id));
    liveReplies.value = new Map([...liveReplies.value].filter(([id]) => !ids.has(id)));
  }

  #withReplies(conversation: Conversation): Conversation {
    return replaceReplies(
      conversation,
      new Map([...this.#replies].map(([panelId, { latest }]) => [panelId, latest.value])),
    );
  }
}

/** Return at which word a reply is taken up; nothing if it has none. */
function pickUp({ content }: Reply): Pick<Reply, "pickedUp" | "pickedUpAt"> {
  const words = countWords(content);
  return words > 0 ? { pickedUp: words, pickedUpAt: content.length } : {};
}

class StoppedHere extends Error {
  readonly code = "cancelled";
  override readonly message = "Stopped without an answer from the server.";
}

/** Whether the server refused what was asked; what is refused for another reason, such as too many streams, is not. */
const isRefusal = (error: unknown): boolean =>
  error instanceof StreamError && error.status !== null && [403, 413, 422].includes(error.status);

function failureOf(error: unknown): Failure {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "network";
  const message = error instanceof Error ? error.message : String(error);
  const wait = error instanceof StreamError ? error.retryAfter : null;
  const shown = message.replace(/^panels\[\d+\](?:\.\w+)*: /, ""); // the panel is the one that shows it
  return { code, message: shown, ...(wait !== null && { wait }) };
}
