// What is sent and what is delivered if the server works, refuses, or has forgotten the stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  resumeStream,
  StreamError,
  type StreamEvent,
  type StreamOptions,
  type StreamSnapshot,
  stopStream,
  streamPanels,
} from "../src/index.js";
import { breakQuestion, cutAfter, half, type Override, position, refuse, sendHead, serve, wire } from "./server.js";
import { batch, collect, collectUntilError, delta, EVENTS, final, QUICK, TEXT } from "./support.js";

const HI = { prompt: "hi" };
const TWO: StreamEvent[] = [delta("a", "l"), final("a", "l"), delta("b", "r"), final("b", "r"), batch];
const TWO_PANELS = { prompt: "hi", panels: [{ provider: "openai" }, { provider: "gemini" }] };
const snapshot = (content: string, end = false): StreamSnapshot => ({
  event: "stream_snapshot",
  panel_id: null,
  panels: [
    {
      ...{
        panel_id: "p",
        content,
        reasoning: "",
        refusal: "",
        tool_calls: [],
        sources: [],
        parts: [],
        tool_runs: [],
        provider: null,
        model: null,
      },
      end: end ? (final(content) as never) : null,
    },
  ],
  batch: null,
});

test("a complete stream", async () => {
  await using server = await serve(EVENTS);
  const statuses: string[] = [];
  const options = {
    headers: { authorization: "Bearer t" },
    idempotencyKey: "k1",
    onStatus: (s: string) => statuses.push(s),
  };
  const stream = streamPanels(server.url, HI, options);
  assert.deepEqual([stream.streamId, stream.lastEventId, server.received.length], [null, 0, 0]);
  assert.deepEqual(await collect(stream), EVENTS);
  assert.deepEqual([stream.streamId, stream.lastEventId], ["s1", 5]);
  assert.equal(stream.url, server.url.replace("panels", "streams/s1"));
  assert.deepEqual(statuses, ["connecting", "streaming", "closed"]);
  const [asked] = server.received;
  assert.deepEqual([asked?.method, asked?.path, server.received.length], ["POST", "/v1/panels", 1]);
  assert.deepEqual(JSON.parse(asked?.body ?? ""), HI);
  const { accept, authorization, "content-type": type, "idempotency-key": key } = asked?.headers ?? {};
  assert.deepEqual([accept, authorization, type, key], ["text/event-stream", "Bearer t", "application/json", "k1"]);
});

test("reconnecting sends the position and the headers, and reports its status", async () => {
  await using server = await serve(EVENTS, breakQuestion);
  const statuses: string[] = [];
  const options = { ...QUICK, headers: { authorization: "Bearer t" }, onStatus: (s: string) => statuses.push(s) };
  assert.deepEqual(await collect(streamPanels(server.url, HI, options)), EVENTS);
  const { path, headers } = server.received[1] ?? assert.fail();
  assert.deepEqual([path, headers["last-event-id"], headers.authorization], ["/v1/streams/s1", "2", "Bearer t"]);
  assert.deepEqual(statuses, ["connecting", "streaming", "reconnecting", "streaming", "closed"]);
});

test("progress has no number, and moves no position", async () => {
  const waits: StreamEvent = { event: "panel_progress", panel_id: "p", phase: "prompt", seconds: 1 };
  const aside = Buffer.from(`data: ${JSON.stringify(waits)}\n\n`);
  await using server = await serve(EVENTS, ({ method }, response) => {
    if (method !== "POST") return false;
    cutAfter(response, Buffer.concat([aside, wire(EVENTS.slice(0, 2)), aside]), "clean");
    return true;
  });
  const stream = streamPanels(server.url, HI, QUICK);
  const seen = [];
  for await (const event of stream) seen.push([event, stream.lastEventId]);
  const [one, two, three, four, five] = EVENTS;
  const numbered = [one, two, three, four, five].map((event, index) => [event, index + 1]);
  assert.deepEqual(seen, [[waits, 0], ...numbered.slice(0, 2), [waits, 2], ...numbered.slice(2)]);
  assert.equal(server.received[1]?.headers["last-event-id"], "2");
});

test("lastEventId is the number of the event that was just delivered", async () => {
  await using server = await serve(EVENTS);
  const stream = streamPanels(server.url, HI);
  const numbers = [];
  for await (const _ of stream) numbers.push(stream.lastEventId);
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
});

test("a stream of several panels ends with the summary", async () => {
  for (let cut = 0; cut < TWO.length; cut++) {
    await using server = await serve(TWO, ({ method }, response) => {
      if (method !== "POST") return false;
      cutAfter(response, wire(TWO.slice(0, cut)), "clean");
      return true;
    });
    assert.deepEqual(await collect(streamPanels(server.url, TWO_PANELS, QUICK)), TWO);
    assert.equal(server.received.length, 2);
  }
});

test("the server has no more, but the last event never arrived", async () => {
  for (const [status, code] of [
    [204, "interrupted"],
    [404, "interrupted"],
    [410, "expired"],
    [403, "some_code"],
  ] as const) {
    await using server = await serve(EVENTS, ({ method }, response) => {
      if (method === "POST") cutAfter(response, half, "clean");
      else if (status === 204) response.writeHead(204).end();
      else refuse(response, status);
    });
    const { events, error } = await collectUntilError(streamPanels(server.url, HI, QUICK));
    assert.ok(error instanceof StreamError);
    assert.deepEqual([error.code, error.status, error.text, events.length], [code, status, { p: "Grüße 🦊" }, 2]);
    assert.equal(server.received.length, 2);
  }
});

test("a busy server gets the time that it asks for", async () => {
  for (const header of ["0.15", new Date(Date.now() + 2000).toUTCString()]) {
    for (const status of [429, 503]) {
      const times: number[] = [];
      await using server = await serve(EVENTS, ({ method }, response, number) => {
        times.push(performance.now());
        if (method === "POST") cutAfter(response, half, "reset");
        else if (number === 1) refuse(response, status, { "retry-after": header });
        else return false;
        return true;
      });
      assert.deepEqual(await collect(streamPanels(server.url, HI, QUICK)), EVENTS);
      // A date has whole seconds: up to one second may have passed.
      assert.ok((times[2] ?? 0) - (times[1] ?? 0) >= (header === "0.15" ? 145 : 0));
      assert.equal(server.received.length, 3);
    }
  }
});

test("a wait beyond giveUpAfter ends at once", async () => {
  await using server = await serve(EVENTS, ({ method }, response) => {
    if (method === "POST") cutAfter(response, half, "reset");
    else refuse(response, 429, { "retry-after": "3600" });
  });
  const { error } = await collectUntilError(streamPanels(server.url, HI, QUICK));
  assert.deepEqual([error.code, error.status, error.retryAfter], ["interrupted", 429, 3600]);
});

test("gives up after maxRetries attempts, with the text and the cause", async () => {
  for (const status of [500, 502, 503, 504, 520, 522, 524, 529, 429, 408, null]) {
    await using server = await serve(EVENTS, ({ method }, response) => {
      if (method === "POST") cutAfter(response, half, "fin");
      else if (status === null) response.destroy();
      else refuse(response, status);
    });
    const { error } = await collectUntilError(streamPanels(server.url, HI, { ...QUICK, maxRetries: 3 }));
    assert.deepEqual([error.code, error.status, error.text], ["interrupted", status, { p: "Grüße 🦊" }]);
    assert.ok(error.cause instanceof Error);
    assert.deepEqual([server.posts, server.received.length], [1, 4]);
  }
});

test("gives up after giveUpAfter", async () => {
  await using server = await serve(EVENTS, ({ method }, response) => {
    if (method === "POST") cutAfter(response, half, "fin");
    else response.destroy();
  });
  const began = performance.now();
  const { error } = await collectUntilError(
    streamPanels(server.url, HI, { maxRetries: 1e6, retryDelay: 5, giveUpAfter: 200 }),
  );
  assert.equal(error.code, "interrupted");
  assert.ok(performance.now() - began < 2000);
});

test("progress resets the retries", async () => {
  await using server = await serve(EVENTS, (request, response, number) => {
    const after = position(request);
    if (number % 3) response.destroy();
    else cutAfter(response, wire(EVENTS.slice(0, after + 1), after), "fin");
  });
  assert.deepEqual(await collect(streamPanels(server.url, HI, { ...QUICK, maxRetries: 3 })), EVENTS);
});

test("the question is sent once, whatever happens to it", async () => {
  const cases: [Override, string, number | null, string?][] = [
    [(_, response) => void response.destroy(), "network", null],
    [(_, response) => void response.socket?.resetAndDestroy(), "network", null],
    [(_, response) => refuse(response, 400), "some_code", 400, "refused with 400"],
    [(_, response) => refuse(response, 429, { "retry-after": "7" }), "some_code", 429],
    [(_, response) => refuse(response, 503), "some_code", 503],
    [(_, response) => void response.writeHead(502).end("<html>"), "http", 502, "the server answered with status 502"],
    [(_, response) => void response.writeHead(500).end("null"), "http", 500],
    [(_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"), "protocol", 200],
  ];
  for (const [answer, code, status, message] of cases) {
    await using server = await serve(EVENTS, answer);
    const { events, error } = await collectUntilError(streamPanels(server.url, HI, QUICK));
    assert.ok(error instanceof StreamError);
    assert.deepEqual([events.length, error.code, error.status], [0, code, status]);
    assert.equal(error.retryAfter, status === 429 ? 7 : null);
    if (message) assert.equal(error.message, message);
    assert.equal(server.received.length, 1);
  }
});

test("where a stream is resumed", async () => {
  const places: [Record<string, string>, string | null][] = [
    [{ "x-stream-id": "s1", location: "/v1/streams/s1" }, "/v1/streams/s1"],
    [{ "x-stream-id": "s1", location: "/behind/the/proxy/s1" }, "/v1/streams/s1"],
    [{ location: "/elsewhere/s1" }, "/elsewhere/s1"],
    [{ location: "streams/s1" }, "/v1/streams/s1"],
    [{ "x-stream-id": "a/b" }, "/v1/streams/a%2Fb"],
    [{ "x-stream-id": "s1", location: "http://example.invalid/v1/streams/s1" }, "/v1/streams/s1"],
    [{ location: "http://example.invalid/v1/streams/s1" }, null],
    [{}, null],
  ];
  for (const [headers, path] of places) {
    await using server = await serve(EVENTS, ({ method }, response) => {
      if (method === "GET") return false;
      response.writeHead(200, { "content-type": "text/event-stream", ...headers }).end(half);
      return true;
    });
    const stream = streamPanels(server.url, HI, QUICK);
    if (path === null) {
      assert.equal((await collectUntilError(stream)).error.code, "interrupted");
    } else {
      assert.deepEqual(await collect(stream), EVENTS);
      assert.equal(server.received[1]?.path, path);
    }
  }
});

test("a second question with the same key joins at a snapshot", async () => {
  await using server = await serve(EVENTS, ({ method }, response) => {
    if (method === "GET") return false;
    const joined = `id: 2\ndata: ${JSON.stringify(snapshot("Grüße 🦊"))}\n\n`;
    cutAfter(response, Buffer.concat([Buffer.from(joined), wire(EVENTS.slice(0, 3), 2, "")]), "clean");
    return true;
  });
  const events = await collect(streamPanels(server.url, HI, { ...QUICK, idempotencyKey: "k" }));
  assert.deepEqual(events, [snapshot("Grüße 🦊"), ...EVENTS.slice(2)]);
});

test("after a reload: a snapshot, then the rest, also over cuts", async () => {
  await using server = await serve(EVENTS, ({ headers }, response, number) => {
    if (number === 0) response.destroy();
    else if (headers["last-event-id"] === undefined) {
      cutAfter(response, Buffer.from(`id: 2\ndata: ${JSON.stringify(snapshot("Grüße 🦊"))}\n\n`), "reset");
    } else return false;
    return true;
  });
  const stream = resumeStream(server.url, "s1", QUICK);
  assert.deepEqual([stream.streamId, stream.lastEventId], ["s1", null]);
  assert.deepEqual(await collect(stream), [snapshot("Grüße 🦊"), ...EVENTS.slice(2)]);
  assert.deepEqual(
    server.received.map(({ method, path, headers }) => [method, path, headers["last-event-id"]]),
    [
      ["GET", "/v1/streams/s1", undefined],
      ["GET", "/v1/streams/s1", undefined],
      ["GET", "/v1/streams/s1", "2"],
    ],
  );
});

test("a snapshot of a stream that is over", async () => {
  const one = snapshot(TEXT, true);
  const panels = ["l", "r"].map((panel_id) => ({ ...one.panels[0], panel_id }));
  const two = { ...one, panels, batch } as StreamEvent;
  for (const shown of [one, two]) {
    await using server = await serve(EVENTS, (request, response) => {
      if (position(request) === 5) return false;
      sendHead(response);
      response.end(`id: 5\ndata: ${JSON.stringify(shown)}\n\n`);
      return true;
    });
    assert.deepEqual(await collect(resumeStream(server.url, "s1", QUICK)), [shown]);
    assert.equal(server.received.length, 1);
  }
});

test("after a reload with a position: the rest, for any number of panels", async () => {
  for (const events of [EVENTS, TWO]) {
    for (let after = 0; after <= events.length; after++) {
      await using server = await serve(events);
      const stream = resumeStream(server.url, "s1", { ...QUICK, lastEventId: after });
      assert.deepEqual(await collect(stream), events.slice(after));
      assert.equal(server.posts, 0);
      const asked = server.received.length;
      const panels = events === TWO ? 2 : 1;
      const counted = resumeStream(server.url, "s1", { ...QUICK, lastEventId: after, panels });
      assert.deepEqual(await collect(counted), events.slice(after));
      assert.equal(
        server.received.length - asked,
        1,
        "with a known number of panels no request is needed to find out that this was all",
      );
    }
  }
});

test("a stream that does not exist", async () => {
  for (const [status, code] of [
    [404, "interrupted"],
    [410, "expired"],
    [401, "some_code"],
  ] as const) {
    await using server = await serve(EVENTS, (_, response) => refuse(response, status));
    const { error } = await collectUntilError(resumeStream(server.url, "s1", QUICK));
    assert.deepEqual([error.code, error.status, server.received.length], [code, status, 1]);
  }
});

test("stopStream sends a DELETE to the stream", async () => {
  await using server = await serve(EVENTS, ({ method, path }, response) => {
    if (method !== "DELETE" || !path.endsWith("none")) return false;
    refuse(response, 404, {}, "not_found");
    return true;
  });
  const stream = streamPanels(server.url, HI, { headers: { authorization: "Bearer t" } });
  await assert.rejects(stopStream(stream), StreamError);
  await stream.next();
  await stopStream(stream);
  await stopStream(stream, "a b&c");
  await stopStream(server.url.replace("panels", "streams/x"), undefined, { headers: { authorization: "Bearer u" } });
  const stopped = server.received.slice(1).map(({ method, path, headers }) => [method, path, headers.authorization]);
  assert.deepEqual(stopped, [
    ["DELETE", "/v1/streams/s1", "Bearer t"],
    ["DELETE", "/v1/streams/s1?panel_id=a+b%26c", "Bearer t"],
    ["DELETE", "/v1/streams/x", "Bearer u"],
  ]);
  await assert.rejects(stopStream(`${server.url}/none`), { code: "not_found", status: 404 });
  await stream.return();
});

test("the caller's fetch is used", async () => {
  const asked: string[] = [];
  const fetch: NonNullable<StreamOptions["fetch"]> = async (url) => {
    asked.push(String(url));
    const headers = { "content-type": "text/event-stream", location: "/v1/streams/s1" };
    return new Response(new Uint8Array(wire(EVENTS, (asked.length - 1) * 5).subarray(0, 150)), { headers });
  };
  const { error } = await collectUntilError(
    streamPanels("http://made.up/v1/panels", HI, { ...QUICK, fetch, maxRetries: 1 }),
  );
  assert.equal(error.code, "interrupted");
  assert.equal(asked[1], "http://made.up/v1/streams/s1");
});

test("a URL without a host is an error outside of a browser", () => {
  assert.throws(() => streamPanels("/v1/panels", HI), TypeError);
});

for (const status of [307, 308]) {
  test(`after a ${status} to another host our headers go to the original host alone`, async () => {
    await using other = await serve(EVENTS, breakQuestion);
    await using server = await serve(EVENTS, ({ method, path }, response) => {
      if (method === "POST") response.writeHead(status, { location: other.url }).end();
      else if (path === "/v1/streams/s1") return false;
      else refuse(response, 404);
      return true;
    });
    const stream = streamPanels(server.url, HI, { ...QUICK, headers: { authorization: "Bearer t" } });
    assert.deepEqual(await collect(stream), EVENTS);
    assert.equal(stream.url, server.url.replace("panels", "streams/s1"));
    await stopStream(stream);
    const methods = (asked: { method: string }[]) => asked.map(({ method }) => method);
    assert.deepEqual([methods(server.received), methods(other.received)], [["POST", "GET", "DELETE"], ["POST"]]);
    assert.equal(other.received[0]?.headers.authorization, undefined);
  });
}

test("a redirect within the original host leads to the stream there", async () => {
  await using server = await serve(EVENTS, ({ method, path, headers, body }, response) => {
    if (path === "/v1/panels") return response.writeHead(307, { location: "/behind/v1/panels" }).end();
    return method === "POST"
      ? breakQuestion({ method, path, headers, body, closed: Promise.resolve() }, response, 0)
      : false;
  });
  const stream = streamPanels(server.url, HI, { ...QUICK, headers: { authorization: "Bearer t" } });
  assert.deepEqual(await collect(stream), EVENTS);
  assert.equal(stream.url, server.url.replace("/v1/panels", "/behind/v1/streams/s1"));
});

test("headers may be a function, which is called for each request", async () => {
  await using server = await serve(EVENTS, breakQuestion);
  let count = 0;
  const headers = async () => ({ authorization: `Bearer ${++count}` });
  const stream = streamPanels(server.url, HI, { ...QUICK, headers });
  assert.deepEqual(await collect(stream), EVENTS);
  await stopStream(stream);
  assert.deepEqual(
    server.received.map((request) => request.headers.authorization),
    ["Bearer 1", "Bearer 2", "Bearer 3"],
  );
});

test("a fetch without body streams, as React Native's, delivers everything at the end", async () => {
  await using server = await serve(EVENTS, breakQuestion);
  const bare = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    const { ok, status, headers } = response;
    return { ok, status, headers, url: response.url, text: () => response.text() } as Response;
  };
  assert.deepEqual(await collect(streamPanels(server.url, HI, { ...QUICK, fetch: bare })), EVENTS);
});
