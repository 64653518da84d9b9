import assert from "node:assert/strict";
import { test } from "node:test";
import { Decoder, type Frame } from "../src/index.js";

const bytes = (text: string) => new TextEncoder().encode(text);

function decoded(data: Uint8Array, size = data.length): Frame[] {
  const decoder = new Decoder();
  const frames: Frame[] = [];
  for (let at = 0; at < data.length; at += size) frames.push(...decoder.feed(data.subarray(at, at + size)));
  return frames;
}

const data = (text: string) => decoded(bytes(text)).map((frame) => frame.data);

test("the examples of the WHATWG", () => {
  assert.deepEqual(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
  const stream = bytes(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n");
  assert.deepEqual(
    decoded(stream).map(({ id, data }) => [id, data]),
    [
      ["1", "first event"],
      ["", "second event"],
      ["", " third event"],
    ],
  );
  assert.deepEqual(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
  assert.deepEqual(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
});

test("line ends, byte order mark, types, ids, unknown fields", () => {
  for (const end of ["\n", "\r", "\r\n"]) assert.deepEqual(data(`data: a${end}data: b${end}${end}`), ["a\nb"]);
  assert.deepEqual(data("\ufeffdata: a\n\n\ufeffdata: b\n\n"), ["a"]);
  assert.deepEqual(data("nonsense: 1\nDATA: x\n data: y\ndata : z\n\n"), []);
  const frames = decoded(bytes("event: named\nid: 7\ndata: x\n\nid: 8\0\ndata: y\n\nid: 9\n\ndata: z\n\n"));
  assert.deepEqual(frames, [
    { id: "7", type: "named", data: "x" },
    { id: "7", type: "message", data: "y" },
    { id: "9", type: "message", data: "z" },
  ]);
});

test("retry accepts digits only", () => {
  const decoder = new Decoder();
  decoder.feed(bytes("retry: 1500\nretry: 2s\nretry: -1\n\n"));
  assert.equal(decoder.retry, 1500);
});

test("an event without its final empty line is dropped", () => {
  const whole = "id: 1\ndata: one\n\nid: 2\ndata: two\n\n";
  const first = whole.indexOf("\n\n") + 2;
  for (let cut = 0; cut < whole.length; cut++) assert.equal(data(whole.slice(0, cut)).length, cut < first ? 0 : 1);
});

test("the frames do not depend on how the bytes are cut", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const stream = bytes(
      ["\ufeff: hello", "", "id: 1", "data: Grüße 🦊 \u2028", "data: 漢字", "", "id: 2", "data: x", "", ""].join(end),
    );
    const whole = decoded(stream);
    assert.deepEqual(
      whole.map((frame) => frame.data),
      ["Grüße 🦊 \u2028\n漢字", "x"],
    );
    for (let size = 1; size < stream.length; size++) assert.deepEqual(decoded(stream, size), whole);
    for (let cut = 0; cut < stream.length; cut++) {
      const decoder = new Decoder();
      const parts = [stream.subarray(0, cut), new Uint8Array(), stream.subarray(cut)];
      assert.deepEqual(
        parts.flatMap((part) => decoder.feed(part)),
        whole,
      );
    }
  }
});

test("a long line in many chunks is cheap", () => {
  const line = bytes(`data: ${"x".repeat(4_000_000)}\n\n`);
  const begin = performance.now();
  assert.equal(decoded(line, 64)[0]?.data.length, 4_000_000);
  assert.ok(performance.now() - begin < 2000);
});
