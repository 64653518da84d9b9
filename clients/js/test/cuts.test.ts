// Connections that break, anywhere and in any way: what comes out is the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { streamPanels, type StreamEvent } from "../src/index.js";
import { collect, delta, each, EVENTS, failing, final, QUICK, sleep, TEXT } from "./help.js";
import { begin, CUTS, cutAfter, position, serve, wire } from "./server.js";

const WHOLE = wire(EVENTS);
const EVERYWHERE = Array.from({ length: WHOLE.length }, (_, at) => at);

for (const [number, how] of CUTS.entries()) {
  test(`the first connection is cut at every byte (${how})`, async () => {
    await each(EVERYWHERE, async (at) => {
      await using server = await serve(EVENTS, ({ method }, response) => {
        if (method !== "POST") return false;
        cutAfter(response, WHOLE.subarray(0, at), how);
        return true;
      });
      const events = await collect(streamPanels(server.url, { prompt: "hi" }, QUICK));
      assert.deepEqual(events, EVENTS, `cut at ${at}`);
      assert.equal(server.posts, 1);
      assert.ok(server.asked.length <= 2);
    });
  });

  test(`every connection is cut at every third byte (${how})`, async () => {
    // Below this the biggest event never comes through.
    const enough = Math.max(...EVENTS.map((_, at) => wire(EVENTS.slice(0, at + 1), at).length));
    const some = EVERYWHERE.filter((at) => at % CUTS.length === number);
    await each(some, async (at) => {
      await using server = await serve(EVENTS, (asked, response) => {
        if (position(asked) === EVENTS.length) return false;
        cutAfter(response, wire(EVENTS, position(asked)).subarray(0, at), how);
        return true;
      });
      const stream = streamPanels(server.url, { prompt: "hi" }, { ...QUICK, maxRetries: 2 });
      if (at >= enough) {
        assert.deepEqual(await collect(stream), EVENTS, `cut at ${at}`);
      } else {
        const { events, error } = await failing(stream);
        assert.deepEqual(events, EVENTS.slice(0, events.length));
        assert.equal(error.code, "interrupted");
        const said = events.map((event) => (event.event === "panel_delta" ? event.delta : "")).join("");
        assert.equal(error.text["p"] ?? "", said);
      }
      assert.equal(server.posts, 1);
    });
  });
}

test("twenty cuts in one stream", async () => {
  const pieces = Array.from({ length: 63 }, (_, n) => ` ${n}🦊`);
  const events: StreamEvent[] = [...pieces.map((piece) => delta(piece)), final(pieces.join(""))];
  for (const how of CUTS) {
    await using server = await serve(events, (asked, response) => {
      const after = position(asked);
      if (after >= 60) return false;
      const three = wire(events.slice(0, after + 3), after);
      const beginningOfNext = wire(events.slice(0, after + 4), after + 3, "").subarray(0, after % 40);
      cutAfter(response, Buffer.concat([three, beginningOfNext]), how);
      return true;
    });
    assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, { ...QUICK, maxRetries: 1 })), events);
    assert.equal(server.asked.length, 21);
    assert.equal(server.posts, 1);
  }
});

test("byte by byte, as a proxy may", async () => {
  await using server = await serve(EVENTS, async (_, response) => {
    begin(response);
    for (const byte of WHOLE) {
      response.write(Buffer.of(byte));
      await sleep(0);
    }
    response.end();
  });
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
  assert.equal(server.asked.length, 1);
});

test("what is sent again does not come again", async () => {
  await using server = await serve(EVENTS, (_, response, number) => {
    // Half of it first, then all of it from the start, whatever was asked for.
    if (number === 0) cutAfter(response, wire(EVENTS.slice(0, 3)), "clean");
    else {
      begin(response);
      response.end(WHOLE);
    }
    return true;
  });
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
});

test("a gap, a missing number and what is no event are errors that keep the text", async () => {
  const start = wire(EVENTS.slice(0, 2)).toString();
  const good = JSON.stringify(EVENTS[2]);
  const unnumbered = [`id: x\ndata: ${good}`, `id\ndata: ${good}`];
  for (const bad of [`id: 4\ndata: ${good}`, ...unnumbered, "id: 3\ndata: {", "id: 3\ndata: 1"]) {
    await using server = await serve(EVENTS, (_, response) => {
      begin(response);
      response.end(`${start}${bad}\n\n`);
    });
    const { events, error } = await failing(streamPanels(server.url, { prompt: "hi" }, QUICK));
    assert.deepEqual([events.length, error.code, server.asked.length], [2, "protocol", 1]);
    assert.deepEqual(error.text, { p: "Grüße 🦊" });
  }
});

test("nothing comes after the last event", async () => {
  await using server = await serve([...EVENTS, delta("more")]);
  assert.deepEqual(await collect(streamPanels(server.url, { prompt: "hi" }, QUICK)), EVENTS);
  assert.equal(TEXT, (EVENTS.at(-1) as { content: string }).content);
});
