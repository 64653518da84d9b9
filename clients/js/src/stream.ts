// One stream of panels over as many connections as it takes.
//
// Rules: the question is sent once. Every event is delivered once, in order. The iterator ends only after the stream's
// own last event; everything else throws an error that holds the text so far.

import { Backoff } from "./backoff.js";
import { type ErrorDetails, errorFromResponse, messageOf, StreamError } from "./errors.js";
import type { StreamEvent } from "./events.js";
import type { ConnectionStatus, Headers, ResumeOptions, StreamOptions } from "./options.js";
import { StreamProgress } from "./progress.js";
import type { PanelRequest } from "./request.js";
import { Decoder, type Frame } from "./sse.js";
import { isOffline, networkReturns, pause, withTimeout } from "./waiting.js";

/** Ask (POST `url`) and read the answer. Nothing is sent before the first call of `next`. */
export function streamPanels(url: string | URL, request: PanelRequest, options: StreamOptions = {}): PanelStream {
  return new PanelStream(absolute(url), options, { request });
}

/** Read a stream that runs already, for example after a reload of the page. `url`: where the question was sent. */
export function resumeStream(url: string | URL, streamId: string, options: ResumeOptions = {}): PanelStream {
  const { lastEventId = null, panels = null } = options;
  return new PanelStream(absolute(url), options, { streamId, lastEventId, panels });
}

/** Stop all panels of a stream, or one. Each ends with a `panel_error` of code `cancelled`, which is still delivered. */
export async function stopStream(
  stream: PanelStream | string | URL,
  panelId?: string,
  options: Pick<StreamOptions, "headers" | "fetch" | "signal"> = {},
): Promise<void> {
  const own = stream instanceof PanelStream;
  const address = own ? stream.url : absolute(stream);
  if (address === null)
    throw new StreamError("interrupted", "the server has not answered yet, so there is no stream to stop");
  const url = new URL(address);
  if (panelId !== undefined) url.searchParams.set("panel_id", panelId);
  const { fetch = globalThis.fetch, headers, signal = null } = { ...(own ? stream.options : {}), ...options };
  const response = await fetch(url, { method: "DELETE", headers: await headersOf(headers), signal });
  if (!response.ok) throw errorFromResponse(response, await response.text());
}

/** A running stream: an async iterator over its events. */
export class PanelStream implements AsyncIterableIterator<StreamEvent, void, undefined> {
  /** The stream's id at the server, set by the server's answer. Keep it to resume after a reload. */
  streamId: string | null = null;
  /** The number of the last event that was delivered; 0 before the first. */
  lastEventId: number | null;
  /** The stream's address at the server, set by the server's answer. */
  url: string | null = null;
  readonly options: StreamOptions;

  readonly #questionUrl: string;
  readonly #request: PanelRequest | null;
  readonly #progress: StreamProgress;
  readonly #backoff: Backoff;
  readonly #left = new AbortController();
  readonly #events = this.#readEvents();
  #connectionAbort = new AbortController();
  #lastFailure: unknown = null;
  #serverWait = 0;

  constructor(
    url: string,
    options: StreamOptions,
    start: { request: PanelRequest } | { streamId: string; lastEventId: number | null; panels: number | null },
  ) {
    this.options = options;
    this.#questionUrl = url;
    this.#backoff = new Backoff(options);
    if ("request" in start) {
      this.#request = start.request;
      this.#progress = new StreamProgress(start.request.panels?.length || 1);
      this.lastEventId = 0;
    } else {
      this.#request = null;
      // A reader that resumes at a position may have the last event already.
      this.#progress = new StreamProgress(start.panels, start.lastEventId === null ? "open" : "perhaps");
      this.lastEventId = start.lastEventId;
      this.#setStreamUrl(url, start.streamId, null);
    }
  }

  next(): Promise<IteratorResult<StreamEvent, void>> {
    return this.#events.next();
  }

  /** Leave the stream, also while `next` waits for an event. */
  return(): Promise<IteratorResult<StreamEvent, void>> {
    this.#leave(new DOMException("the stream was left", "AbortError"));
    return this.#events.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#readEvents(): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.options;
    const leave = () => this.#leave(signal?.reason);
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    try {
      let response = this.#request ? await this.#sendQuestion(this.#request) : await this.#reconnect();
      while (response) {
        this.#reportStatus("streaming");
        yield* this.#readConnection(response);
        response = this.#progress.state === "over" ? null : await this.#reconnect();
      }
    } finally {
      signal?.removeEventListener("abort", leave);
      this.#connectionAbort.abort();
      this.#reportStatus("closed");
    }
  }

  async #sendQuestion(request: PanelRequest): Promise<Response> {
    this.#reportStatus("connecting");
    const { idempotencyKey } = this.options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
    const body = JSON.stringify(request);
    let response: Response;
    try {
      // Without a time limit: the upload of files may take long, and the question must not be sent twice.
      response = await this.#fetch(this.#questionUrl, { method: "POST", body }, headers, Infinity);
    } catch (error) {
      this.#left.signal.throwIfAborted();
      throw this.#error("network", `the question got no answer: ${messageOf(error)}`, { cause: error });
    }
    if (!response.ok) throw await this.#errorFrom(response);
    // A redirect may have led to another host. That host gets no second request: `fetch` removed our authorization from
    // this one (https://fetch.spec.whatwg.org/#http-redirect-fetch), and a new request would send it there.
    const answeredAt = response.url && sameOrigin(response.url, this.#questionUrl) ? response.url : this.#questionUrl;
    this.#setStreamUrl(answeredAt, response.headers.get("x-stream-id"), response.headers.get("location"));
    return this.#requireEventStream(response);
  }

  /** Return the response of the next connection; null if the stream is over and nothing is missing. */
  async #reconnect(): Promise<Response | null> {
    if (this.url === null) throw this.#interrupted("the server did not say where the stream can be resumed");
    const headers = this.lastEventId === null ? {} : { "last-event-id": String(this.lastEventId) };
    for (;;) {
      await this.#waitBeforeAttempt();
      let response: Response;
      try {
        response = await this.#fetch(this.url, { method: "GET" }, headers, this.#silence);
      } catch (error) {
        this.#noteFailure(error);
        continue;
      }
      if (response.status === 204) {
        if (this.#progress.state === "open") {
          throw this.#interrupted("the server has ended it, and its last event never arrived", { status: 204 });
        }
        return null;
      }
      if (response.ok) return this.#requireEventStream(response);
      const refused = await this.#errorFrom(response);
      if (refused.status === 404) throw this.#interrupted(refused.message, refused);
      if (refused.status === 410) throw this.#error("expired", refused.message, refused);
      if (!TEMPORARY_STATUSES.has(response.status)) throw refused;
      this.#noteFailure(refused);
      this.#serverWait = (refused.retryAfter ?? 0) * 1000;
    }
  }

  /** Wait before the next attempt if one has failed. Throws if it is time to give up. */
  async #waitBeforeAttempt(): Promise<void> {
    if (!this.#backoff.failed) return this.#reportStatus("connecting");
    this.#reportStatus("reconnecting");
    const delay = this.#backoff.delay(this.#serverWait);
    if (delay === null) {
      const cause = this.#lastFailure;
      const answer = cause instanceof StreamError ? { status: cause.status, retryAfter: cause.retryAfter } : {};
      throw this.#interrupted(messageOf(cause), { ...answer, cause });
    }
    await pause(delay, this.#left.signal, this.#serverWait === 0);
    this.#serverWait = 0;
    while (isOffline()) {
      this.#reportStatus("offline");
      const since = performance.now();
      await networkReturns(this.#left.signal);
      this.#backoff.extendDeadline(performance.now() - since);
      this.#reportStatus("reconnecting");
    }
  }

  /** Yield the events of one connection, until it ends or breaks. */
  async *#readConnection(response: Response): AsyncGenerator<StreamEvent, void, undefined> {
    const reader = response.body?.getReader() ?? wholeBody(response);
    const limit = response.body ? this.#silence : Infinity;
    const decoder = new Decoder();
    const openedAt = performance.now();
    try {
      for (;;) {
        const bytes = await this.#readChunk(reader, limit);
        if (bytes === null) break;
        for (const frame of decoder.feed(bytes)) {
          const event = this.#acceptFrame(frame);
          if (event) yield event;
          if (this.#progress.state === "over") return;
          this.#left.signal.throwIfAborted();
        }
        // A model may think for a long time: a connection that holds counts as good, even without events.
        if (performance.now() - openedAt > this.#silence) this.#backoff.succeed();
      }
      this.#serverWait = decoder.retry ?? 0;
    } finally {
      // Also closes the connection of a caller's `fetch` that ignores signals.
      reader.cancel().catch(() => {});
    }
  }

  async #readChunk(reader: BodyReader, limit: number): Promise<Uint8Array | null> {
    try {
      const { done, value } = await withTimeout(reader.read(), this.#left.signal, limit);
      if (!done && value) return value;
      this.#noteFailure(new Error("the connection ended before the stream did"));
    } catch (error) {
      this.#noteFailure(error);
    }
    return null;
  }

  /** Return the event in a frame; null if it was delivered before. */
  #acceptFrame(frame: Frame): StreamEvent | null {
    const id = /^[0-9]+$/.test(frame.id) ? Number(frame.id) : NaN;
    const event = parseEvent(frame.data);
    // The server does not keep progress, so it has no number of its own.
    if (event?.event === "panel_progress") return event;
    if (event === null || Number.isNaN(id))
      throw this.#error("protocol", "the server sent an event that msgmodel does not send");
    const last = this.lastEventId;
    // A snapshot has the number of the last event that it includes: it may follow any event, and itself.
    const snapshot = event.event === "stream_snapshot";
    if (last !== null && (snapshot ? id < last : id <= last)) return null;
    if (last !== null && !snapshot && id > last + 1) {
      throw this.#error("protocol", `event ${id} arrived after event ${last}`);
    }
    this.lastEventId = id;
    this.#progress.add(event);
    this.#backoff.succeed();
    return event;
  }

  async #fetch(url: string, init: RequestInit, headers: Record<string, string>, limit: number): Promise<Response> {
    const leaving = this.#left.signal;
    leaving.throwIfAborted();
    const connection = new AbortController();
    this.#connectionAbort = connection;
    const { fetch = globalThis.fetch } = this.options;
    try {
      const own = await withTimeout(headersOf(this.options.headers), leaving, limit);
      const all = { accept: "text/event-stream", ...own, ...headers };
      const sent = fetch(url, { ...init, headers: all, cache: "no-store", signal: connection.signal });
      return await withTimeout(sent, leaving, limit);
    } catch (error) {
      connection.abort();
      throw error;
    }
  }

  #requireEventStream(response: Response): Response {
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
    throw this.#error("protocol", "the answer is not an event stream", { status: response.status });
  }

  async #errorFrom(response: Response): Promise<StreamError> {
    const body = await withTimeout(response.text(), this.#left.signal, this.#silence).catch(() => "");
    this.#left.signal.throwIfAborted();
    const { code, message, status, retryAfter } = errorFromResponse(response, body);
    return this.#error(code, message, { status, retryAfter });
  }

  /** Set where the stream can be read. */
  #setStreamUrl(questionUrl: string, streamId: string | null, location: string | null): void {
    const named = location === null ? null : new URL(location, questionUrl);
    // Never at another origin, which would receive our headers.
    const trusted = named && sameOrigin(named, questionUrl) ? named : null;
    const sibling = streamId === null ? null : new URL(`streams/${encodeURIComponent(streamId)}`, questionUrl);
    // `location` may lack the beginning of the path: a proxy may have removed it before the server saw the request.
    const standardPath = new URL(questionUrl).pathname.endsWith("/v1/panels");
    this.url = ((standardPath && sibling) || trusted || sibling)?.href ?? null;
    this.streamId = streamId ?? trusted?.pathname.split("/").pop() ?? null;
  }

  #noteFailure(error: unknown): void {
    this.#left.signal.throwIfAborted();
    this.#connectionAbort.abort();
    this.#lastFailure = error;
    this.#backoff.fail();
  }

  #interrupted(why: string, details: ErrorDetails = {}): StreamError {
    return this.#error("interrupted", `the stream was interrupted: ${why}`, details);
  }

  #error(code: string, message: string, details: ErrorDetails = {}): StreamError {
    const { status = null, retryAfter = null, cause } = details;
    return new StreamError(code, message, { status, retryAfter, cause, text: this.#progress.text });
  }

  #leave(reason: unknown): void {
    this.#left.abort(reason);
    this.#connectionAbort.abort(reason);
  }

  #reportStatus(status: ConnectionStatus): void {
    this.options.onStatus?.(status);
  }

  get #silence(): number {
    return this.options.silence ?? 45_000;
  }
}

/**
 * Statuses of temporary failures, of a server or of a proxy in front of it.
 * 52x: https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
const TEMPORARY_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]);

type BodyReader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Read a response without a stream, as React Native's `fetch` gives it: all of it arrives at once, at its end. */
function wholeBody(response: Response): BodyReader {
  let taken = false;
  const read = async (): Promise<ReadableStreamReadResult<Uint8Array>> => {
    if (taken) return { done: true, value: undefined };
    taken = true;
    return { done: false, value: new TextEncoder().encode(await response.text()) };
  };
  return { read, cancel: async () => {} };
}

async function headersOf(headers: StreamOptions["headers"]): Promise<Headers> {
  return typeof headers === "function" ? await headers() : (headers ?? {});
}

function absolute(url: string | URL): string {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

function sameOrigin(one: string | URL, other: string | URL): boolean {
  return new URL(one).origin === new URL(other).origin;
}

function parseEvent(data: string): StreamEvent | null {
  try {
    const event = JSON.parse(data);
    return typeof event?.event === "string" ? event : null;
  } catch {
    return null;
  }
}
