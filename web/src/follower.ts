/** Follows one stream into the replies that are kept.
 *
 * Rule: what has arrived is never lost. However a stream ends, its text stays in the reply, and the reply says why.
 */

import { type Signal, signal } from "@preact/signals";
import { type ConnectionStatus, type PanelStream, type StreamOptions, initial, reduce, stopStream } from "msgmodel-client";
import { announce } from "./announce";
import type { Conversation, Failure, Reply, Stream } from "./model";
import { absorb, spokenEnding } from "./reply";
import { changed, save } from "./store";
import { authorizedFetch } from "./token";

const SAVE_EVERY = 1000; // ms: a reload loses no more, even where the server has forgotten the stream

interface Live {
  /** Goes up when there is more of the reply. */
  frame: Signal<number>;
  connection: Signal<ConnectionStatus>;
}

/** Replies that are being written, by their id. */
const live = new Map<string, Live>();

const still: Live = { frame: signal(0), connection: signal<ConnectionStatus>("closed") };

/** Reading its signals draws again with each frame that brings something. */
export const liveOf = (reply: Reply): Live => live.get(reply.id) ?? still;

export const isLive = (reply: Reply | undefined): boolean => reply !== undefined && live.has(reply.id);

export class Follower {
  #state = initial();
  #frame = 0;
  #saved = 0;
  /** What to stop as soon as the stream has a name. */
  #unstopped: (string | undefined)[] = [];
  #stopping = false;
  readonly #gone = new AbortController();

  /** `replies`: by the id of their panel. */
  constructor(
    private readonly conversation: Conversation,
    private readonly stream: Stream,
    private readonly replies: ReadonlyMap<string, Reply>,
  ) {
    for (const reply of replies.values()) {
      if (reply.end === null) live.set(reply.id, { frame: signal(0), connection: signal<ConnectionStatus>("connecting") });
    }
  }

  async read(begin: (options: Pick<StreamOptions, "signal" | "fetch" | "onStatus">) => PanelStream): Promise<void> {
    const reading = begin({
      signal: this.#gone.signal,
      fetch: authorizedFetch,
      onStatus: (status) => this.#connected(status, reading.streamId),
    });
    try {
      for await (const event of reading) {
        this.#state = reduce(this.#state, event);
        if (event.event === "panel_final" || event.event === "panel_error" || event.event === "stream_snapshot") {
          this.#publish();
          this.#settle();
        } else this.#soon();
      }
      this.over(null);
    } catch (error) {
      this.over(failureOf(error));
    }
  }

  /** The server is told, and its last event says so. Who asks twice for all does not wait for that. */
  async stop(panelId: string | undefined): Promise<void> {
    if (panelId === undefined && this.#stopping) return this.#leave();
    this.#stopping ||= panelId === undefined;
    if (this.stream.id === null) {
      this.#unstopped.push(panelId);
      return;
    }
    try {
      const address = `v1/streams/${encodeURIComponent(this.stream.id)}`;
      await stopStream(address, panelId, { fetch: authorizedFetch });
    } catch {
      this.#leave(); // the server is not there, or has forgotten the stream
    }
  }

  #leave(): void {
    this.#gone.abort(new Left());
  }

  #connected(status: ConnectionStatus, id: string | null): void {
    for (const reply of this.replies.values()) liveOf(reply).connection.value = status;
    if (status === "reconnecting") announce("The connection broke; trying again");
    if (id === null || this.stream.id !== null) return;
    this.stream.id = id; // before the first word: a reload needs it, and so does Stop
    void save(this.conversation);
    this.#stopping = false;
    for (const panelId of this.#unstopped.splice(0)) void this.stop(panelId);
  }

  /** Those that have ended are no longer live. */
  #settle(): void {
    for (const reply of this.replies.values()) {
      if (reply.end === null || !live.delete(reply.id)) continue;
      announce(spokenEnding(reply, reply.provider));
      changed();
      void save(this.conversation);
    }
  }

  /** Everything that has come is drawn with the next frame. */
  #soon(): void {
    // A page that is hidden has no frames; what it saves still has to be right.
    if (document.hidden) this.#publish();
    else this.#frame ||= requestAnimationFrame(() => this.#publish());
  }

  #publish(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const state of this.#state.panels) {
      const reply = this.replies.get(state.id);
      if (reply === undefined) continue;
      absorb(reply, state);
      const drawn = live.get(reply.id);
      if (drawn) drawn.frame.value += 1;
    }
    if (performance.now() - this.#saved < SAVE_EVERY) return;
    this.#saved = performance.now();
    void save(this.conversation);
  }

  /** The stream is over; replies without an end will have none, for this reason. */
  over(failure: Failure | null): void {
    this.#publish();
    this.#settle();
    for (const reply of this.replies.values()) {
      if (reply.end !== null) continue;
      reply.lost = failure ?? { code: "interrupted", message: "The stream ended before this reply did." };
      live.delete(reply.id);
      announce(spokenEnding(reply, reply.provider));
    }
    this.conversation.streams = this.conversation.streams.filter((stream) => stream !== this.stream);
    changed();
    void save(this.conversation);
  }
}

class Left extends Error {
  readonly code = "cancelled";
  override readonly message = "Stopped without an answer of the server.";
}

function failureOf(error: unknown): Failure {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "network";
  return { code, message: error instanceof Error ? error.message : String(error) };
}
