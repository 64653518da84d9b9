// One stream of panels over as many connections as it takes.
//
// Rules: the question is sent once. Every event comes once, in order. The iterator ends only after the stream's own
// last event; everything else is an error that has the text so far.

import { Backoff } from "./backoff.js";
import { refusal, StreamError, type ErrorDetails } from "./errors.js";
import type { ConnectionStatus, ResumeOptions, StreamOptions } from "./options.js";
import type { PanelRequest } from "./request.js";
import type { StreamEvent } from "./events.js";
import { Decoder, type Frame } from "./sse.js";
import { Tally } from "./tally.js";
import { offline, online, pause, within } from "./waiting.js";

/** Asks (POST `url`), and reads the answer. Nothing is sent before the first event is asked for. */
export function streamPanels(url: string | URL, request: PanelRequest, options: StreamOptions = {}): PanelStream {
  return new PanelStream(absolute(url), options, { request });
}

/** Reads a stream that runs already, as after a reload of the page. `url`: the one it was asked at. */
export function resumeStream(url: string | URL, streamId: string, options: ResumeOptions = {}): PanelStream {
  const { lastEventId = null, panels = null } = options;
  return new PanelStream(absolute(url), options, { streamId, lastEventId, panels });
}

/** Stops all panels of a stream, or one: each ends as a `panel_error` with the code `cancelled`, which still comes. */
export async function stopStream(
  stream: PanelStream | string | URL,
  panelId?: string,
  options: Pick<StreamOptions, "headers" | "fetch" | "signal"> = {},
): Promise<void> {
  const own = stream instanceof PanelStream;
  const address = own ? stream.url : absolute(stream);
  if (address === null) throw new StreamError("interrupted", "there is no answer yet, so nothing that can be stopped");
  const url = new URL(address);
  if (panelId !== undefined) url.searchParams.set("panel_id", panelId);
  const { fetch = globalThis.fetch, headers = {}, signal = null } = { ...(own ? stream.options : {}), ...options };
  const response = await fetch(url, { method: "DELETE", headers, signal });
  if (!response.ok) throw refusal(response, await response.text());
}

/** A running stream: an async iterator over its events. */
export class PanelStream implements AsyncIterableIterator<StreamEvent, void, undefined> {
  /** Its name at the server, once it has answered. Keep it to go on after a reload. */
  streamId: string | null = null;
  /** The number of the last event that was handed on; 0 before the first one. */
  lastEventId: number | null;
  /** Its address at the server, once it has answered. */
  url: string | null = null;
  readonly options: StreamOptions;

  readonly #asked: string;
  readonly #request: PanelRequest | null;
  readonly #tally: Tally;
  readonly #backoff: Backoff;
  readonly #gone = new AbortController();
  readonly #events = this.#run();
  #connection = new AbortController();
  #failure: unknown = null;
  #wait = 0;

  constructor(
    url: string,
    options: StreamOptions,
    begin: { request: PanelRequest } | { streamId: string; lastEventId: number | null; panels: number | null },
  ) {
    this.options = options;
    this.#asked = url;
    this.#backoff = new Backoff(options);
    if ("request" in begin) {
      this.#request = begin.request;
      this.#tally = new Tally(begin.request.panels?.length || 1);
      this.lastEventId = 0;
    } else {
      this.#request = null;
      // Who comes with a position may have the last event already.
      this.#tally = new Tally(begin.panels, begin.lastEventId === null ? "open" : "perhaps");
      this.lastEventId = begin.lastEventId;
      this.#locate(url, begin.streamId, null);
    }
  }

  next(): Promise<IteratorResult<StreamEvent, void>> {
    return this.#events.next();
  }

  /** Leaves the stream, also while an event is waited for. */
  return(): Promise<IteratorResult<StreamEvent, void>> {
    this.#leave(new DOMException("the stream was left", "AbortError"));
    return this.#events.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#run(): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.options;
    const leave = () => this.#leave(signal?.reason);
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    try {
      let response = this.#request ? await this.#post(this.#request) : await this.#reconnect();
      while (response) {
        this.#status("streaming");
        yield* this.#read(response);
        response = this.#tally.state === "over" ? null : await this.#reconnect();
      }
    } finally {
      signal?.removeEventListener("abort", leave);
      this.#connection.abort();
      this.#status("closed");
    }
  }

  async #post(request: PanelRequest): Promise<Response> {
    this.#status("connecting");
    const { idempotencyKey } = this.options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
    const body = JSON.stringify(request);
    let response;
    try {
      // However long: files may be on their way, and the question can't be asked again.
      response = await this.#fetch(this.#asked, { method: "POST", body }, headers, Infinity);
    } catch (error) {
      this.#gone.signal.throwIfAborted();
      throw this.#error("network", `the question got no answer: ${words(error)}`, { cause: error });
    }
    if (!response.ok) throw await this.#refused(response);
    // A redirect may have led to another host. It gets no second request of ours: `fetch` took our authorization off
    // this one (https://fetch.spec.whatwg.org/#http-redirect-fetch), and a new one would carry it there again.
    const answered = response.url && sameOrigin(response.url, this.#asked) ? response.url : this.#asked;
    this.#locate(answered, response.headers.get("x-stream-id"), response.headers.get("location"));
    return this.#checked(response);
  }

  /** The next connection; null where the stream is over and nothing is missing. */
  async #reconnect(): Promise<Response | null> {
    if (this.url === null) throw this.#interrupted("the server did not say where to go on");
    const headers = this.lastEventId === null ? {} : { "last-event-id": String(this.lastEventId) };
    for (;;) {
      await this.#patience();
      let response;
      try {
        response = await this.#fetch(this.url, { method: "GET" }, headers, this.#silence);
      } catch (error) {
        this.#fail(error);
        continue;
      }
      if (response.status === 204) {
        if (this.#tally.state === "open") {
          throw this.#interrupted("it is over, and its last event never came", { status: 204 });
        }
        return null;
      }
      if (response.ok) return this.#checked(response);
      const refused = await this.#refused(response);
      if (refused.status === 404) throw this.#interrupted(refused.message, refused);
      if (refused.status === 410) throw this.#error("expired", refused.message, refused);
      if (!TRANSIENT.has(response.status)) throw refused;
      this.#fail(refused);
      this.#wait = (refused.retryAfter ?? 0) * 1000;
    }
  }

  /** Waits before the next attempt, where one has failed. Throws when it is time to give up. */
  async #patience(): Promise<void> {
    if (!this.#backoff.failed) return this.#status("connecting");
    this.#status("reconnecting");
    const delay = this.#backoff.delay(this.#wait);
    if (delay === null) {
      const cause = this.#failure;
      const answer = cause instanceof StreamError ? { status: cause.status, retryAfter: cause.retryAfter } : {};
      throw this.#interrupted(words(cause), { ...answer, cause });
    }
    await pause(delay, this.#gone.signal, this.#wait === 0);
    this.#wait = 0;
    while (offline()) {
      this.#status("offline");
      const since = performance.now();
      await online(this.#gone.signal);
      this.#backoff.excuse(performance.now() - since);
      this.#status("reconnecting");
    }
  }

  /** The events of one connection, until it ends in whichever way. */
  async *#read(response: Response): AsyncGenerator<StreamEvent, void, undefined> {
    const reader = response.body?.getReader();
    const decoder = new Decoder();
    const opened = performance.now();
    try {
      for (;;) {
        const bytes = await this.#bytes(reader);
        if (bytes === null) break;
        for (const frame of decoder.feed(bytes)) {
          const event = this.#take(frame);
          if (event) yield event;
          if (this.#tally.state === "over") return;
          this.#gone.signal.throwIfAborted();
        }
        // A model may think for long: a connection that holds is a good one, though no event comes.
        if (performance.now() - opened > this.#silence) this.#backoff.succeed();
      }
      this.#wait = decoder.retry ?? 0;
    } finally {
      // Also for a fetch that knows no signals.
      reader?.cancel().catch(() => {});
    }
  }

  async #bytes(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array | null> {
    try {
      const { done, value } = reader ? await within(reader.read(), this.#gone.signal, this.#silence) : { done: true };
      if (!done && value) return value;
      this.#fail(new Error("the connection ended before the stream"));
    } catch (error) {
      this.#fail(error);
    }
    return null;
  }

  /** The event in a frame; null where it was handed on before. */
  #take(frame: Frame): StreamEvent | null {
    const id = /^[0-9]+$/.test(frame.id) ? Number(frame.id) : NaN;
    const event = parsed(frame.data);
    if (event === null || Number.isNaN(id)) throw this.#error("protocol", "an event that msgmodel does not send");
    const last = this.lastEventId;
    // A snapshot has the number of the last event in it, so it may follow on anything, and on itself.
    const snapshot = event.event === "stream_snapshot";
    if (last !== null && (snapshot ? id < last : id <= last)) return null;
    if (last !== null && !snapshot && id > last + 1) {
      throw this.#error("protocol", `event ${id} came after event ${last}`);
    }
    this.lastEventId = id;
    this.#tally.add(event);
    this.#backoff.succeed();
    return event;
  }

  async #fetch(url: string, init: RequestInit, headers: Record<string, string>, limit: number): Promise<Response> {
    const gone = this.#gone.signal;
    gone.throwIfAborted();
    const connection = (this.#connection = new AbortController());
    const { fetch = globalThis.fetch } = this.options;
    const all = { accept: "text/event-stream", ...this.options.headers, ...headers };
    try {
      const sent = fetch(url, { ...init, headers: all, cache: "no-store", signal: connection.signal });
      return await within(sent, gone, limit);
    } catch (error) {
      connection.abort();
      throw error;
    }
  }

  #checked(response: Response): Response {
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
    throw this.#error("protocol", "the answer is not an event stream", { status: response.status });
  }

  async #refused(response: Response): Promise<StreamError> {
    const body = await within(response.text(), this.#gone.signal, this.#silence).catch(() => "");
    this.#gone.signal.throwIfAborted();
    const { code, message, status, retryAfter } = refusal(response, body);
    return this.#error(code, message, { status, retryAfter });
  }

  /** Where the stream can be read. */
  #locate(asked: string, streamId: string | null, location: string | null): void {
    const said = location === null ? null : new URL(location, asked);
    // Never at somebody else's, who would be sent our headers.
    const own = said && sameOrigin(said, asked) ? said : null;
    const beside = streamId === null ? null : new URL(`streams/${encodeURIComponent(streamId)}`, asked);
    // The server may not know the whole path to it: a proxy may have taken away the beginning.
    const known = new URL(asked).pathname.endsWith("/v1/panels");
    this.url = ((known && beside) || own || beside)?.href ?? null;
    this.streamId = streamId ?? own?.pathname.split("/").pop() ?? null;
  }

  #fail(error: unknown): void {
    this.#gone.signal.throwIfAborted();
    this.#connection.abort();
    this.#failure = error;
    this.#backoff.fail();
  }

  #interrupted(why: string, details: ErrorDetails = {}): StreamError {
    return this.#error("interrupted", `the stream was interrupted: ${why}`, details);
  }

  #error(code: string, message: string, details: ErrorDetails = {}): StreamError {
    const { status = null, retryAfter = null, cause } = details;
    return new StreamError(code, message, { status, retryAfter, cause, text: this.#tally.text });
  }

  #leave(reason: unknown): void {
    this.#gone.abort(reason);
    this.#connection.abort(reason);
  }

  #status(status: ConnectionStatus): void {
    this.options.onStatus?.(status);
  }

  get #silence(): number {
    return this.options.silence ?? 45_000;
  }
}

/** Answers that a server, or a proxy before it, gives for a while. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

function absolute(url: string | URL): string {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
}

function sameOrigin(one: string | URL, other: string | URL): boolean {
  return new URL(one).origin === new URL(other).origin;
}

function parsed(data: string): StreamEvent | null {
  try {
    const event = JSON.parse(data);
    return typeof event?.event === "string" ? event : null;
  } catch {
    return null;
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
