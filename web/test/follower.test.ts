// @vitest-environment jsdom

// A question on its way to a server on loopback and back, through actions, exchange, follower and store.

import { effect } from "@preact/signals";
import type { PanelRequest, StreamEvent } from "msgmodel-client";
import { beforeEach, expect, test, vi } from "vitest";
import { type FakeServer, type Override, position, refuse, sendHead, serve, wire } from "../../clients/js/test/server";
import { addPanel, choose, continueReply, removePanel, resumeReply, retry, send, stopReplies } from "../src/actions";
import { allConversations } from "../src/database";
import { forget } from "../src/deletion";
import { isLive, latestOf, saveLiveReplies } from "../src/follower";
import { isBusy, type Reply } from "../src/model";
import { endingOf } from "../src/reply";
import { RESUME_PROMPT } from "../src/request";
import { conversations, current, deleteAllConversations, startConversation } from "../src/store";
import { toasts } from "../src/toasts";
import { delta, failed, final, frozen } from "./support";

beforeEach(async () => {
  await deleteAllConversations();
  startConversation(); // with the panels of the one before
  for (const { id } of current.value.panels.slice(1)) removePanel(id);
});

/** Start a server that the page's relative addresses lead to. */
async function serveHere(override: Override): Promise<FakeServer> {
  const server = await serve([], override);
  document.head.innerHTML = `<base href="${new URL("/", server.url)}">`;
  return server;
}

/** Answer a question with these events, given the id of its first panel; then keep the connection open if `open`. */
function answerWith(events: (panelId: string) => StreamEvent[], open = false): Override {
  let panelId = "";
  return (request, response) => {
    if (request.method === "DELETE") return false;
    if (request.method === "POST") panelId = body(request)?.panels?.[0]?.panel_id ?? "";
    sendHead(response);
    response.write(wire(events(panelId), position(request)));
    if (!open) response.end();
    return true;
  };
}

const body = (request: { body: string }): PanelRequest => JSON.parse(request.body);
const lastReply = (panel = 0): Reply | undefined => current.value.panels[panel]?.turns.at(-1)?.replies.at(-1);
const shown = (): string => {
  const reply = lastReply();
  return reply ? latestOf(reply).content : "";
};
const done = () => vi.waitFor(() => expect(isBusy(current.value)).toBe(false), { timeout: 10_000 });

test("a reply is shown as it arrives, and saved when it has ended", async () => {
  await using server = await serveHere(answerWith((id) => [delta(id, "Hel"), delta(id, "lo"), final(id, "Hello")]));
  const states: string[] = [];
  const stop = effect(() => {
    const reply = lastReply();
    if (reply) states.push(`${isLive(reply) ? "streaming" : endingOf(reply)}: ${latestOf(reply).content}`);
  });
  frozen(current.value);
  send("Hi", []);
  const [stream] = current.value.streams;
  await done();
  stop();
  expect(states[0]).toBe("streaming: ");
  expect(states.at(-1)).toBe("complete: Hello");
  expect(current.value).toMatchObject({ title: "Hi", streams: [] });
  expect(lastReply()?.end?.model).toBe("a-model");
  const request = server.received[0];
  expect(request && body(request)).toMatchObject({ prompt: "Hi", panels: [{ provider: "local", messages: [] }] });
  expect(request?.headers["idempotency-key"]).toBe(stream?.key);
  await vi.waitFor(async () => expect(await allConversations()).toEqual([current.value]));
});

test("what had arrived stays when the stream breaks, and the model is asked to continue from there", async () => {
  const broken = (id: string) => [delta(id, "Half"), failed(id, "Half", "interrupted")];
  await using server = await serveHere(answerWith(broken));
  send("Hi", []);
  await done();
  expect([lastReply()?.content, lastReply() && endingOf(lastReply() as Reply)]).toEqual(["Half", "broken"]);
  resumeReply(current.value.panels[0]?.id ?? "");
  await done();
  const request = server.received[1];
  const [panel] = (request && body(request).panels) ?? [];
  expect(request && body(request).prompt).toBe(RESUME_PROMPT);
  expect(panel?.messages).toEqual([
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Half" },
  ]);
  expect(current.value.panels[0]?.turns.map(({ kind }) => kind)).toEqual(["typed", "resume"]);
});

test("a refused question fails with the server's code, and a retry keeps the earlier reply", async () => {
  let refusing = true;
  const answer = answerWith((id) => [final(id, "Now it works.")]);
  await using _server = await serveHere((request, response, number) => {
    if (!refusing) return answer(request, response, number);
    refuse(response, 429, {}, "rate_limit");
    return true;
  });
  send("Hi", []);
  await done();
  expect(lastReply()?.lost).toEqual({ code: "rate_limit", message: "refused with 429" });
  refusing = false;
  retry(current.value.panels[0]?.id ?? "");
  await done();
  const [turn, ...others] = current.value.panels[0]?.turns ?? [];
  expect([turn?.replies.map(({ content }) => content), others]).toEqual([["", "Now it works."], []]);
});

test("stopping sends a DELETE for one panel or for all", async () => {
  const stopped = (id: string): StreamEvent[] => [delta(id, "Hel"), failed(id, "Hel", "cancelled")];
  const open: (() => void)[] = [];
  await using server = await serveHere((request, response) => {
    if (request.method === "DELETE") {
      open.pop()?.();
      return false;
    }
    const id = body(request).panels?.[0]?.panel_id ?? "";
    sendHead(response);
    response.write(wire(stopped(id).slice(0, 1)));
    open.push(() => response.end(wire(stopped(id), 1, "")));
    return true;
  });
  for (const panelId of [undefined, current.value.panels[0]?.id]) {
    send("Hi", []);
    await vi.waitFor(() => expect(shown()).toBe("Hel"));
    stopReplies(panelId);
    await done();
    const reply = lastReply();
    expect(reply && [endingOf(reply), reply.content]).toEqual(["stopped", "Hel"]);
  }
  const paths = server.received.filter(({ method }) => method === "DELETE").map(({ path }) => path);
  expect(paths).toEqual(["/v1/streams/s1", `/v1/streams/s1?panel_id=${current.value.panels[0]?.id}`]);
});

test("a reply is stopped although the server has not answered yet", async () => {
  let answer = (): void => {};
  await using server = await serveHere((request, response) => {
    if (request.method === "DELETE") return false;
    const id = body(request).panels?.[0]?.panel_id ?? "";
    answer = () => {
      sendHead(response);
      response.write(wire([delta(id, "Hel")]));
    };
    return true;
  });
  send("Hi", []);
  await vi.waitFor(() => expect(server.posts).toBe(1));
  stopReplies();
  answer();
  await vi.waitFor(() => expect(server.received.map(({ method }) => method)).toEqual(["POST", "DELETE"]));
  stopReplies(); // a second stop does not wait for the server's last event
  await done();
  expect(lastReply()).toMatchObject({ content: "Hel", lost: { code: "cancelled" } });
});

test("a stream that the server has forgotten keeps its text", async () => {
  await using _server = await serveHere((request, response) => {
    if (request.method === "GET") refuse(response, 410, {}, "gone");
    else {
      sendHead(response);
      response.end(wire([delta(body(request).panels?.[0]?.panel_id ?? "", "Hel")]));
    }
    return true;
  });
  send("Hi", []);
  await done();
  expect(lastReply()).toMatchObject({ content: "Hel", end: null, lost: { code: "expired" } });
});

test("a stream is resumed after a reload, from what was saved", async () => {
  const events = (id: string) => [delta(id, "Hel"), delta(id, "lo"), final(id, "Hello")];
  const panelId = current.value.panels[0]?.id ?? "";
  await using server = await serveHere((request, response) => {
    if (request.method === "GET" && position(request) === 3) return response.writeHead(204).end();
    sendHead(response);
    if (request.method === "GET") response.end(wire(events(panelId), position(request)));
    else response.write(wire(events(panelId).slice(0, 1)));
    return true;
  });
  send("Hi", []);
  await vi.waitFor(() => expect(shown()).toBe("Hel"));
  saveLiveReplies(); // as the page does when it is left
  await vi.waitFor(async () => {
    const [saved] = await allConversations();
    expect(saved?.streams[0]?.id).toBe("s1");
    expect(saved?.panels[0]?.turns[0]?.replies[0]?.content).toBe("Hel");
  });

  vi.resetModules(); // the page that is loaded now has only what was saved
  const store = await import("../src/store");
  const { resumeStreams } = await import("../src/exchange");
  await store.readConversations();
  store.followAddress();
  expect(store.current.value.id).toBe(current.value.id);
  resumeStreams(store.current.value);
  await vi.waitFor(() => expect(store.current.value.streams).toEqual([]), { timeout: 10_000 });
  const reply = store.current.value.panels[0]?.turns[0]?.replies[0];
  expect(reply).toMatchObject({ content: "Hello", end: { status: "complete" }, lost: null });
  const reads = server.received.filter(({ method }) => method !== "DELETE").map(({ method, path }) => [method, path]);
  expect(reads.slice(0, 2)).toEqual([
    ["POST", "/v1/panels"],
    ["GET", "/v1/streams/s1"],
  ]);
});

test("each panel writes its own reply, and continues alone", async () => {
  await using server = await serveHere((request, response) => {
    const [one, two] = (body(request).panels ?? []).map(({ panel_id = "" }) => panel_id);
    sendHead(response);
    if (!one || !two) return response.end(wire([final(one ?? "", "and the rest.")]));
    const cut = final(two, "Second,", { status: "truncated", truncated: true, truncated_in: "text" });
    const summary = { event: "batch_final", panel_id: null } as StreamEvent;
    return response.end(wire([delta(two, "Sec"), final(one, "First."), cut, summary]));
  });
  addPanel();
  send("Hi", []);
  await done();
  expect([lastReply(0)?.content, lastReply(1)?.content]).toEqual(["First.", "Second,"]);
  continueReply(current.value.panels[1]?.id ?? "");
  await done();
  expect(current.value.panels.map(({ turns }) => turns.length)).toEqual([1, 2]);
  expect(lastReply(1)?.content).toBe("and the rest.");
  expect(server.posts).toBe(2);
});

test("a conversation that is deleted while it is answered stays deleted", async () => {
  await using server = await serveHere(answerWith((id) => [delta(id, "Hel")], true));
  send("Hi", []);
  await vi.waitFor(() => expect(shown()).toBe("Hel"));
  forget(current.value);
  await vi.waitFor(() => expect(server.received.map(({ method }) => method)).toEqual(["POST", "DELETE"]));
  await vi.waitFor(async () => expect(await allConversations()).toEqual([]));
  expect(conversations.value).toEqual([]);
});

test("if the server refuses one of several panels, that one fails alone", async () => {
  const refused: number[] = [];
  const answer = answerWith((id) => [final(id, "I can read it.")]);
  await using server = await serveHere((request, response, number) => {
    const panels = body(request).panels ?? [];
    refused.push(panels.length);
    if (!panels.some(({ provider }) => provider === "blind")) return answer(request, response, number);
    response.writeHead(422, { "content-type": "application/json" });
    const message = `panels[${panels.length - 1}]: blind does not take a.png`;
    response.end(JSON.stringify({ error: { code: "invalid_request", message } }));
    return true;
  });
  addPanel();
  choose(current.value.panels[1]?.id ?? "", { provider: "blind" });
  send("Hi", []);
  await done();
  expect(refused.sort()).toEqual([1, 1, 2]);
  expect(lastReply(0)?.content).toBe("I can read it.");
  expect(lastReply(1)?.lost).toEqual({ code: "invalid_request", message: "blind does not take a.png" });
  expect(current.value.panels.map(({ turns }) => turns.length)).toEqual([1, 1]);
  expect(new Set(server.received.map(({ headers }) => headers["idempotency-key"])).size).toBe(3);
});

test("a panel whose file is no longer stored fails alone", async () => {
  await using server = await serveHere(answerWith((id) => [final(id, "Hello")]));
  const lost = { id: "no such file", name: "a.txt", type: "text/plain", size: 1 };
  send("Hi", [lost]);
  await done();
  addPanel();
  send("And now?", []);
  await done();
  const message = "The file a.txt is no longer in this browser's storage.";
  expect(lastReply(0)?.lost).toEqual({ code: "invalid_request", message });
  expect(lastReply(1)?.content).toBe("Hello");
  expect(server.received.length).toBe(1);
});

test("a server that refuses for another reason is asked once", async () => {
  await using server = await serveHere((_request, response) => {
    refuse(response, 429, {}, "rate_limit");
    return true;
  });
  addPanel();
  send("Hi", []);
  await done();
  expect([lastReply(0), lastReply(1)].map((reply) => reply?.lost?.code)).toEqual(["rate_limit", "rate_limit"]);
  expect(server.received.length).toBe(1);
});

test("a deleted conversation comes back with what had arrived, and its stream is stopped", async () => {
  await using server = await serveHere(answerWith((id) => [delta(id, "Hel")], true));
  send("Hi", []);
  await vi.waitFor(() => expect(shown()).toBe("Hel"));
  const { id } = current.value;
  forget(current.value);
  await vi.waitFor(() => expect(server.received.map(({ method }) => method)).toEqual(["POST", "DELETE"]));
  await vi.waitFor(async () => expect(await allConversations()).toEqual([]));
  toasts.value.at(-1)?.undo?.();
  await vi.waitFor(() => expect(current.value.id).toBe(id));
  expect(current.value.id).toBe(id);
  expect(lastReply()?.content).toBe("Hel");
  await vi.waitFor(async () => expect((await allConversations()).map(({ title }) => title)).toEqual(["Hi"]));
});
