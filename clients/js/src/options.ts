// How a stream is read: what a caller can set.

import type { Limits } from "./backoff.js";

export type ConnectionStatus = "connecting" | "streaming" | "reconnecting" | "offline" | "closed";

export interface StreamOptions extends Limits {
  /** Aborting it leaves the stream at once: the iterator throws its reason. To stop the panels: `stopStream`. */
  signal?: AbortSignal;
  /** For every request: `authorization`, say. */
  headers?: Record<string, string>;
  /** In the place of the global one. */
  fetch?: typeof globalThis.fetch;
  /** A second question with the same key joins the stream of the first one. */
  idempotencyKey?: string;
  /** Is told about the connection. */
  onStatus?: (status: ConnectionStatus) => void;
  /** Milliseconds without a byte after which a connection counts as broken. Default: 45 seconds. */
  silence?: number;
}

export interface ResumeOptions extends Omit<StreamOptions, "idempotencyKey"> {
  /** The last event that the reader has. Left out: the first event is a `stream_snapshot` of all that was. */
  lastEventId?: number;
  /** How many panels were asked. Left out: where no snapshot says it, one more request at the end finds out. */
  panels?: number;
}
