// What a caller can set about reading a stream.

import type { Limits } from "./backoff.js";

export type ConnectionStatus = "connecting" | "streaming" | "reconnecting" | "offline" | "closed";

export type Headers = Record<string, string>;

export interface StreamOptions extends Limits {
  /** Aborting it leaves the stream at once: the iterator throws the signal's reason. `stopStream` stops the panels. */
  signal?: AbortSignal;
  /** Headers of every request, for example `authorization`; or a function that returns them, called for each request. */
  headers?: Headers | (() => Headers | Promise<Headers>);
  /** Used instead of the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** A second question with the same key joins the stream of the first. */
  idempotencyKey?: string;
  /** Called when the state of the connection changes. */
  onStatus?: (status: ConnectionStatus) => void;
  /** Milliseconds without a byte after which a connection counts as broken. Default: 45 seconds. */
  silence?: number;
}

export interface ResumeOptions extends Omit<StreamOptions, "idempotencyKey"> {
  /** The number of the last event that the reader has. Without it, the first event is a `stream_snapshot`. */
  lastEventId?: number;
  /** How many panels were asked. Without it, and without a snapshot, one more request at the end finds out. */
  panels?: number;
}
