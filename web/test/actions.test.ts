// @vitest-environment jsdom

// Versions, branches and the message that waits, from the user's act to the request at a server on loopback.

import type { PanelRequest, StreamEvent } from "msgmodel-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FakeServer, sendHead, serve, wire } from "../../clients/js/test/server";
import {
  addPanel,
  answerAgain,
  askToCheck,
  branchFrom,
  changeSettings,
  editQuestion,
  keepPanel,
  removePanel,
  send,
  shareAnswer,
  shareSetting,
  showQuestion,
  stopReplies,
} from "../src/actions";
import { getFile, putFile } from "../src/database";
import * as draft from "../src/draft";
import { isBusy, type Panel } from "../src/model";
import { endingOf } from "../src/reply";
import { conversations, current, deleteAllConversations, startConversation } from "../src/store";
import { shownReply, versionsOf } from "../src/tree";
import { delta, ended, final } from "./support";

let server: FakeServer;
let asked: PanelRequest[] = [];
/** Whether the server keeps the streams open until they are stopped. */
let holds = false;

beforeEach(async () => {
  await deleteAllConversations();
  startConversation();
  for (const { id } of current.value.panels.slice(1)) removePanel(id);
  draft.queued.value = null;
  draft.text.value = "";
  asked = [];
  holds = false;
  server = await serve([], (request, response) => {
    if (request.method !== "POST") return false;
    const body = JSON.parse(request.body) as PanelRequest;
    asked.push(body);
    sendHead(response);
    const ids = (body.panels ?? []).map(({ panel_id = "" }) => panel_id);
    if (holds) response.write(wire(ids.map((id) => delta(id, "Half"))));
    else {
      const ends = ids.map((id): StreamEvent => final(id, `to ${body.prompt}, ${asked.length}`));
      const summary = { event: "batch_final", panel_id: null } as StreamEvent;
      response.end(wire(ids.length > 1 ? [...ends, summary] : ends));
    }
    return true;
  });
  document.head.innerHTML = `<base href="${new URL("/", server.url)}">`;
});
afterEach(() => server[Symbol.asyncDispose]());

const done = () => vi.waitFor(() => expect(isBusy(current.value)).toBe(false), { timeout: 10_000 });

async function ask(text: string): Promise<void> {
  send(text, []);
  await done();
}

const panel = (place = 0): Panel => current.value.panels[place] as Panel;
const shown = (place = 0): string[] =>
  panel(place).turns.map((turn) => `${turn.text}: ${shownReply(turn)?.content ?? ""}`);

test("an edited question is asked with what stood before it, in every panel", async () => {
  addPanel();
  await ask("one");
  await ask("two");
  editQuestion(panel(1).id, panel(1).turns[1]?.id ?? "", "two, better", []);
  await done();
  for (const place of [0, 1]) {
    expect(shown(place)).toEqual(["one: to one, 1", "two, better: to two, better, 3"]);
    expect(versionsOf(panel(place).turns[1] as never)).toEqual({ count: 2, place: 1 });
  }
  expect(asked[2]?.panels?.map(({ messages }) => messages?.map(({ content }) => content))).toEqual([
    ["one", "to one, 1"],
    ["one", "to one, 1"],
  ]);
  showQuestion(panel(0).turns[1]?.id ?? "", 0);
  expect([shown(0)[1], shown(1)[1]]).toEqual(["two: to two, 2", "two: to two, 2"]);
});

test("another answer is asked for with another model, and the one before stays with what followed", async () => {
  await ask("one");
  await ask("two");
  answerAgain(panel().id, panel().turns[0]?.id ?? "", { provider: "gemini", model: "flash" });
  await done();
  expect(asked[2]?.panels?.[0]).toMatchObject({ provider: "gemini", model: "flash", messages: [] });
  expect([shown(), panel().turns[0]?.replies.length]).toEqual([["one: to one, 3"], 2]);
  expect(panel().provider).not.toBe("gemini");
});

test("a branch is a conversation of its own, with copies of the files", async () => {
  await putFile("f", new Blob(["bytes"]));
  send("one", [{ id: "f", name: "f.txt", type: "text/plain", size: 5 }]);
  await done();
  await ask("two");
  const before = current.value;
  await branchFrom(panel().id, panel().turns[0]?.id ?? "");
  expect([current.value.id === before.id, shown(), conversations.value.length]).toEqual([false, ["one: to one, 1"], 2]);
  const copy = panel().turns[0]?.files[0]?.id ?? "";
  expect([copy === "f", await (await getFile(copy))?.text()]).toEqual([false, "bytes"]);
  expect(conversations.value.find(({ id }) => id === before.id)).toEqual(before);
});

test("one panel is kept: the other answers become versions, and that can be taken back", async () => {
  addPanel();
  await ask("one");
  const before = current.value.panels;
  const undo = keepPanel(panel(1).id);
  expect([current.value.panels.length, panel().id, panel().turns[0]?.replies.length]).toEqual([1, before[1]?.id, 2]);
  expect(shown()).toEqual(["one: to one, 1"]);
  undo?.();
  expect(current.value.panels).toEqual(before);
});

test("a message waits for the reply, and comes back if that was stopped", async () => {
  holds = true;
  send("one", []);
  await vi.waitFor(() => expect(asked.length).toBe(1));
  draft.text.value = "two";
  draft.submit();
  draft.text.value = "three";
  draft.submit();
  expect([draft.text.value, draft.queued.value?.text]).toEqual(["", "two\n\nthree"]);
  stopReplies();
  stopReplies(); // does not wait for the server
  await done();
  expect([draft.text.value, draft.queued.value, asked.length]).toEqual(["two\n\nthree", null, 1]);
});

test("a message that waits is sent in its own conversation when the reply has ended", async () => {
  send("one", []);
  draft.text.value = "two";
  draft.submit();
  const { id } = current.value;
  startConversation();
  await vi.waitFor(() => expect(asked.map(({ prompt }) => prompt)).toEqual(["one", "two"]), { timeout: 10_000 });
  const conversation = () => conversations.value.find((other) => other.id === id);
  await vi.waitFor(() => expect(conversation()?.panels[0]?.turns.map(({ text }) => text)).toEqual(["one", "two"]));
});

test("only what is set is sent, and a panel's own settings in place of those for all", async () => {
  addPanel();
  await ask("one");
  changeSettings({ temperature: 0.4, system: "Be short." });
  await ask("two");
  changeSettings({ temperature: 0.9, system: "" }, panel(1).id);
  await ask("three");
  const common = asked.map(({ options: { progress, ...rest } = {} }) => [progress, rest]);
  const set = { temperature: 0.4, system_instruction: "Be short." };
  expect(common).toEqual([
    [true, {}],
    [true, set],
    [true, {}],
  ]);
  const own = asked[2]?.panels?.map(({ temperature, system_instruction }) => [temperature, system_instruction]);
  expect(own).toEqual([
    [0.4, "Be short."],
    [0.9, undefined],
  ]);
  shareSetting(panel(1).id, "temperature");
  shareSetting(panel(1).id, "system");
  await ask("four");
  expect(asked[3]?.options).toEqual({ progress: true, ...set });
});

test("a budget holds for each reply, and the reply remembers it", async () => {
  addPanel();
  changeSettings({ maxCost: 0.05 });
  await ask("one");
  expect([asked[0]?.options, asked[0]?.panels?.map(({ max_cost }) => max_cost)]).toEqual([
    { progress: true },
    [0.05, 0.05],
  ]);
  expect(panel().turns[0]?.replies[0]?.asked?.budget).toBe(0.05);
  const cut = { status: "truncated", truncated: true, truncated_in: "text", truncated_by: "budget" } as const;
  expect(endingOf(ended(final("p", "Half", cut)))).toBe("budget");
  expect(endingOf(ended(final("p", "Half", { ...cut, truncated_by: "rounds" })))).toBe("truncated");
});

test("all panels go on from one answer, and that is taken back", async () => {
  addPanel();
  send("Why?", []);
  await done();
  const [first, second] = current.value.panels;
  const turn = first?.turns[0];
  const undo = first && turn ? shareAnswer(first.id, turn.id) : null;
  const shown = () => current.value.panels.map(({ turns }) => turns[0] && shownReply(turns[0])?.content);
  expect(new Set(shown()).size).toBe(1);
  expect(current.value.panels[1]?.turns[0]?.replies).toHaveLength(2);
  undo?.();
  expect(current.value.panels[1]).toBe(second);
});

test("another model is asked whether an answer is right, with that answer", async () => {
  send("Why?", []);
  await done();
  const [panel] = current.value.panels;
  if (panel) askToCheck(panel.id, { provider: "anthropic", model: "claude-haiku-5-5" });
  await done();
  const sent = asked.at(-1)?.panels?.[0];
  expect([sent?.provider, sent?.model]).toEqual(["anthropic", "claude-haiku-5-5"]);
  expect(sent?.messages?.map(({ role }) => role)).toEqual(["user", "assistant"]);
  expect(current.value.panels[0]?.provider).toBe(panel?.provider);
});
