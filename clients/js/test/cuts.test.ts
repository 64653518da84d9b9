// Connections that break at any byte and in any way: the events are the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type StreamEvent, streamPanels } from "../src/index.js";
import { CUTS, cutAfter, type FakeServer, position, type ReceivedRequest, sendHead, serve, wire } from "./server.js";
import { collect, collectUntilError, delta, EVENTS, final, inParallel, QUICK, sleep, TEXT } from "./support.js";

const WHOLE = wire(EVENTS);
const EVERYWHERE = Array.from({ length: WHOLE.length }, (_, at) => at);

// All cases of a test share one server: the case is the first part of the path.
const urlOf = (server: FakeServer, at: number) => new URL(`/${at}/v1/panels`, server.url);
const caseOf = (request: ReceivedRequest) => Number(request.path.split("/")[1]);

for (const [number, how] of CUTS.entries()) {
  test(`the first connection is cut at every byte (${how})`, async () => {
    const methods = EVERYWHERE.map((): string[] => []);
    await using server = await serve(EVENTS, (request, response) => {
      methods[caseOf(request)]?.push(request.method);
      if (request.method !== "POST") return false;
      cutAfter(response, WHOLE.subarray(0, caseOf(request)), how);
      return true;
    });
    await inParallel(EVERYWHERE, async (at) => {
      const events = await collect(streamPanels(urlOf(server, at), { prompt: "hi" }, QUICK));
      assert.deepEqual(events, EVENTS, `cut at ${at}`);
      assert.deepEqual(methods[at], ["POST", "GET"].slice(0, methods[at]?.length));
    });
  });

  test(`every connection is cut at every third byte (${how})`, async () => {
    // If a connection is cut before this byte, the biggest event never arrives.
    const enough = Math.max(...EVENTS.map((_, at) => wire(EVENTS.slice(0, at + 1), at).length));
    const everyThird = EVERYWHERE.filter((at) => at % CUTS.length === number);
    await using server = await serve(EVENTS, (request, response) => {
      if (position(request) === EVENTS.length) return false;
      cutAfter(response, wire(EVENTS, position(request)).subarray(0, caseOf(request)), how);
      return true;
    });
    await inParallel(everyThird, async (at) => {
      const stream = streamPanels(urlOf(server, at), { prompt: "hi" }, { ...QUICK, maxRetries: 2 });
      if (at >= enough) {
        assert.deepEqual(await collect(stream), EVENTS, `cut at ${at}`);
      } else {
        const { events, error } = await collectUntilError(stream);
        assert.deepEqual(events, EVENTS.slice(0, events.length));
        assert.equal(error.code, "interrupted");
        const text = events.map((event) => (event.event === "panel_delta" ? event.delta : "")).join("");
        assert.equal(error.text.p ?? "", text);
      }
    });
    assert.equal(server.posts, everyThird.length);
  });
}

test("twenty cuts in one stream", async () => {
  const pieces = Array.from({ length: 63 }, (_, n) => ` ${n}🦊`);
  const events: StreamEvent[] = [...pieces.map((piece) => delta(piece)), final(pieces.join(""))];
  for (const how of CUTS) {
    await using server = await serve(events, (request, response) => {
      const after = position(request);
      if (after >= 60) return false;
      const three = wire(events.slice(0, after + 3), after);
      const beginningOfNext = wire(events.slice(0, after + 4), after + 3, "").subarray(0, after % 40);
      cutAfter(response, Buffer.concat([three, beginningOfNext]), how);
      return true;
    });
    assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, { ...QUICK, maxRetries: 1 })), events);
    assert.equal(server.received.length, 21);
    assert.equal(server.posts, 1);
  }
});

test("byte by byte, as a proxy may forward it", async () => {
  await using server = await serve(EVENTS, async (_, response) => {
    sendHead(response);
    for (const byte of WHOLE) {
      response.write(Buffer.of(byte));
      await sleep(0);
    }
    response.end();
  });
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
  assert.equal(server.received.length, 1);
});

test("events that the server repeats are delivered once", async () => {
  await using server = await serve(EVENTS, (_, response, number) => {
    // First a half; then everything from the start, whatever position was requested.
    if (number === 0) cutAfter(response, wire(EVENTS.slice(0, 3)), "clean");
    else {
      sendHead(response);
      response.end(WHOLE);
    }
    return true;
  });
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
});

test("a gap, a missing number and a broken event are errors that keep the text", async () => {
  const start = wire(EVENTS.slice(0, 2)).toString();
  const good = JSON.stringify(EVENTS[2]);
  const unnumbered = [`id: x\ndata: ${good}`, `id\ndata: ${good}`];
  for (const bad of [`id: 4\ndata: ${good}`, ...unnumbered, "id: 3\ndata: {", "id: 3\ndata: 1"]) {
    await using server = await serve(EVENTS, (_, response) => {
      sendHead(response);
      response.end(`${start}${bad}\n\n`);
    });
    const { events, error } = await collectUntilError(streamPanels(server.url, { prompt: "hi" }, QUICK));
    assert.deepEqual([events.length, error.code, server.received.length], [2, "protocol", 1]);
    assert.deepEqual(error.text, { p: "Grüße 🦊" });
  }
});

test("nothing is delivered after the last event", async () => {
  await using server = await serve([...EVENTS, delta("more")]);
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
  assert.equal(TEXT, (EVENTS.at(-1) as { content: string }).content);
});
