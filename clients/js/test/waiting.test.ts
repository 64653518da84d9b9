// Leaving a stream, silence, and what the browser reports about the network and the page.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { type StreamEvent, type StreamOptions, streamPanels } from "../src/index.js";
import { breakQuestion, cutAfter, half, type Override, sendHead, serve, wire } from "./server.js";
import { collect, collectUntilError, delta, EVENTS, final, QUICK, sleep } from "./support.js";

const HI = { prompt: "hi" };

type Listening = Parameters<EventTarget["addEventListener"]>;

/** Install what a browser has and Node lacks: network state, visibility, events on the global object. */
function installBrowser(
  t: TestContext,
  onLine: boolean,
): { window: EventTarget; document: EventTarget; set: (on: boolean) => void } {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const navigator = { onLine };
  const fakes = {
    navigator,
    document,
    addEventListener: (...all: Listening) => window.addEventListener(...all),
    removeEventListener: (...all: Listening) => window.removeEventListener(...all),
  };
  for (const [name, value] of Object.entries(fakes)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => {
      if (before) Object.defineProperty(globalThis, name, before);
      else Reflect.deleteProperty(globalThis, name);
    });
  }
  return { window, document, set: (on) => (navigator.onLine = on) };
}

/** Return a promise that resolves when the stream reports this status. */
function statusReached(status: string): { reached: Promise<void>; onStatus: NonNullable<StreamOptions["onStatus"]> } {
  const { promise, resolve } = withResolvers();
  return { reached: promise, onStatus: (now) => now === status && resolve() };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

test("aborting leaves at once, in every state of the stream", async () => {
  const open = (response: ServerResponse) => {
    sendHead(response);
    response.write(half);
  };
  const places: Record<string, Override> = {
    "before the answer": () => {},
    "inside the stream": (_, response) => open(response),
    "between attempts": ({ method }, response) =>
      method === "POST" ? cutAfter(response, half, "fin") : response.destroy(),
    "before the answer to another attempt": ({ method }, response) =>
      method === "POST" ? cutAfter(response, half, "fin") : undefined,
  };
  for (const [place, answer] of Object.entries(places)) {
    await using server = await serve(EVENTS, answer);
    const controller = new AbortController();
    const slow = place === "between attempts" ? { retryDelay: 1e6, giveUpAfter: 1e9, maxRetryDelay: 1e6 } : QUICK;
    const stream = streamPanels(server.url, HI, { ...slow, signal: controller.signal });
    const reason = new Error("the page is closed");
    const expected = place === "before the answer" ? 0 : 2;
    const events: StreamEvent[] = [];
    const reading = (async () => {
      for await (const event of stream) events.push(event);
    })();
    const refused = assert.rejects(reading, (error) => error === reason, place);
    const requests = place === "before the answer to another attempt" ? 2 : 1;
    while (events.length < expected || server.received.length < requests) await sleep(5);
    await sleep(50); // the stream needs a moment to get there
    const began = performance.now();
    controller.abort(reason);
    await refused;
    assert.ok(performance.now() - began < 10_000, place);
    assert.equal(events.length, expected);
    const { length } = server.received;
    await server.received.at(-1)?.closed;
    await sleep(20);
    assert.equal(server.received.length, length, `${place}: no further request is sent, not even a DELETE`);
  }
});

test("aborting closes the connection without a reader, and events that were read ahead are dropped", async () => {
  await using server = await serve(EVENTS, (_, response) => {
    sendHead(response);
    response.write(half);
  });
  const controller = new AbortController();
  const stream = streamPanels(server.url, HI, { signal: controller.signal });
  assert.deepEqual(await stream.next(), { done: false, value: EVENTS[0] });
  controller.abort();
  await server.received[0]?.closed;
  await assert.rejects(stream.next(), { name: "AbortError" });
  assert.equal((await stream.next()).done, true);
});

test("a signal that is already aborted sends nothing", async () => {
  await using server = await serve(EVENTS);
  const { error } = await collectUntilError(streamPanels(server.url, HI, { signal: AbortSignal.abort() }));
  assert.deepEqual([error.name, server.received.length], ["AbortError", 0]);
});

test("an abort after the last event changes nothing", async () => {
  await using server = await serve(EVENTS);
  const controller = new AbortController();
  const events: StreamEvent[] = [];
  for await (const event of streamPanels(server.url, HI, { signal: controller.signal })) {
    events.push(event);
    if (event.event === "panel_final") controller.abort();
  }
  assert.deepEqual(events, EVENTS);
});

test("break, and return during a wait for an event, close the connection", async () => {
  await using server = await serve(EVENTS, (_, response) => {
    sendHead(response);
    response.write(half);
  });
  for await (const _ of streamPanels(server.url, HI)) break;
  await server.received[0]?.closed;
  const stream = streamPanels(server.url, HI);
  await stream.next();
  await stream.next();
  const waiting = assert.rejects(stream.next(), { name: "AbortError" });
  assert.deepEqual(await stream.return(), { done: true, value: undefined });
  await waiting;
  await server.received[1]?.closed;
  assert.equal(server.received.length, 2);
});

test("silence is a broken connection, comments are not silence", async () => {
  await using server = await serve(EVENTS, async ({ method }, response, number) => {
    if (number === 1) return; // never answers
    if (method === "GET") return false;
    sendHead(response);
    response.write(half);
    for (let count = 0; count < 10; count++) {
      await sleep(40);
      response.write(": \n\n");
    }
    return true;
  });
  const began = performance.now();
  assert.deepEqual(await collect(streamPanels(server.url, HI, { ...QUICK, silence: 300 })), EVENTS);
  assert.ok(performance.now() - began >= 400 + 300 + 300 - 20);
  assert.equal(server.received.length, 3);
  await server.received[0]?.closed;
  await server.received[1]?.closed;
});

test("a connection that holds, with pings alone, resets the retries", async () => {
  await using server = await serve(EVENTS, async (_, response, number) => {
    if (number > 3) return false;
    sendHead(response);
    response.write(half);
    for (let count = 0; count < 7; count++) {
      await sleep(60);
      response.write(": \n\n");
    }
    response.destroy();
    return true;
  });
  assert.deepEqual(await collect(streamPanels(server.url, HI, { ...QUICK, silence: 300, maxRetries: 2 })), EVENTS);
});

test("a reader that waits longer than the limit of silence loses nothing, and nothing is read ahead", async () => {
  let pieces = 0;
  let requests = 0;
  // In memory: over a socket, a busy machine may itself be silent for longer than a limit that suits a test.
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const at = pieces++;
    if (at === EVENTS.length) controller.close();
    else controller.enqueue(wire(EVENTS.slice(0, at + 1), at, ""));
  };
  const body = new ReadableStream({ pull }, { highWaterMark: 0 });
  const headers = { "content-type": "text/event-stream", "x-stream-id": "s1", location: "/v1/streams/s1" };
  const fetch = async () => {
    requests++;
    return new Response(body, { headers });
  };
  const stream = streamPanels("http://127.0.0.1", HI, { ...QUICK, silence: 50, fetch });
  assert.deepEqual((await stream.next()).value, EVENTS[0]);
  await sleep(200);
  assert.equal(pieces, 1);
  assert.deepEqual(await collect(stream), EVENTS.slice(1));
  assert.equal(requests, 1);
});

test("a slow reader loses nothing, and makes the server wait", async () => {
  const block = "x".repeat(1 << 20);
  const events: StreamEvent[] = [...Array.from({ length: 16 }, () => delta(block)), final(block.repeat(16))];
  let drained = 0;
  await using server = await serve(events, async (_, response) => {
    sendHead(response);
    for (let at = 0; at < events.length; at++) {
      if (!response.write(wire(events.slice(0, at + 1), at, ""))) await once(response, "drain");
      drained = at + 1;
    }
    response.end();
  });
  const stream = streamPanels(server.url, HI, QUICK);
  await stream.next();
  await sleep(500);
  assert.ok(drained < 14, `${drained} MB were read ahead`);
  assert.deepEqual(await collect(stream), events.slice(1));
  assert.equal(server.received.length, 1);
});

test("without a network no attempt is made until it is back", async (t) => {
  const { window, set } = installBrowser(t, false);
  await using server = await serve(EVENTS, breakQuestion);
  const { reached, onStatus } = statusReached("offline");
  const all = collect(streamPanels(server.url, HI, { ...QUICK, giveUpAfter: 100, onStatus }));
  await reached;
  await sleep(200); // longer than giveUpAfter, but time without a network does not count
  assert.equal(server.received.length, 1);
  set(true);
  window.dispatchEvent(new Event("online"));
  assert.deepEqual(await all, EVENTS);
});

test("if the network or the page comes back, the next attempt is made at once", async (t) => {
  const { window, document } = installBrowser(t, true);
  for (const [target, type] of [
    [window, "online"],
    [document, "visibilitychange"],
  ] as const) {
    await using server = await serve(EVENTS, breakQuestion);
    const { reached, onStatus } = statusReached("reconnecting");
    const options = { retryDelay: 1e7, maxRetryDelay: 1e7, giveUpAfter: 1e9, onStatus };
    const all = collect(streamPanels(server.url, HI, options));
    await reached;
    await sleep(20);
    assert.equal(server.received.length, 1);
    Object.assign(document, { visibilityState: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
    await sleep(20);
    assert.equal(server.received.length, 1, "a page that is hidden does not hurry");
    Object.assign(document, { visibilityState: "visible" });
    target.dispatchEvent(new Event(type));
    assert.deepEqual(await all, EVENTS);
  }
});

test("a wait that the server asked for is never shortened", async (t) => {
  const { window } = installBrowser(t, true);
  const times: number[] = [];
  await using server = await serve(EVENTS, ({ method }, response, number) => {
    times.push(performance.now());
    if (method === "POST") cutAfter(response, half, "fin");
    else if (number === 1) response.writeHead(503, { "retry-after": "0.2" }).end();
    else return false;
    return true;
  });
  const online = setInterval(() => window.dispatchEvent(new Event("online")), 10);
  t.after(() => clearInterval(online));
  assert.deepEqual(await collect(streamPanels(server.url, HI, QUICK)), EVENTS);
  assert.ok((times[2] ?? 0) - (times[1] ?? 0) >= 195);
});

test("no listener is left behind", async (t) => {
  const { window, document } = installBrowser(t, true);
  const controller = new AbortController();
  let listeners = 0;
  for (const target of [window, document, controller.signal]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (...all: Listening) => {
      listeners++;
      addEventListener.apply(target, all);
    };
    target.removeEventListener = (...all: Listening) => {
      listeners--;
      removeEventListener.apply(target, all);
    };
  }
  await using server = await serve(EVENTS, breakQuestion);
  await collect(streamPanels(server.url, HI, { ...QUICK, signal: controller.signal }));
  assert.equal(listeners, 0);
});
