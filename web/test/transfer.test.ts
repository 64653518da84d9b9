// @vitest-environment jsdom

import { afterEach, expect, test } from "vitest";
import { allConversations, getFile, putConversation, putFile, removeEverything } from "../src/database";
import { type Conversation, newTurn } from "../src/model";
import { exportAll, importAll } from "../src/transfer";
import { answered, ended, final, frozen, replyWith } from "./support";

afterEach(() => removeEverything());

/** Import conversations that are written as anybody could write them. */
async function imported(...conversations: unknown[]): Promise<Conversation[]> {
  await importAll(JSON.stringify({ format: "msgmodel-conversations", version: 1, conversations, files: {} }));
  return allConversations();
}

test("an export brings everything back, with new ids and the bytes of the files", async () => {
  const answer = answered(ended(final("p", "Hi.")));
  const turn = newTurn("typed", "Read it.", [{ id: "f", name: "a.bin", type: "application/x-a", size: 256 }]);
  const panels = answer.panels.map((panel) => ({ ...panel, turns: [...panel.turns, turn] }));
  const original = frozen({ ...answer, panels, settings: { ...answer.settings, maxTokens: 7, temperature: 0 } });
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  await putConversation(original);
  await putFile("f", new Blob([bytes], { type: "application/x-a" }));
  const text = await (await exportAll()).text();
  await removeEverything();

  expect(await importAll(text)).toBe(1);
  const [copy] = await allConversations();
  expect([copy?.title, copy?.settings, copy?.createdAt]).toEqual([
    original.title,
    original.settings,
    original.createdAt,
  ]);
  const [first, second] = copy?.panels[0]?.turns ?? [];
  expect(first?.replies[0]).toMatchObject({ content: "Hi.", end: final("p", "Hi."), lost: null });
  expect(second?.files[0]).toMatchObject({ name: "a.bin", size: 256 });
  const file = await getFile(second?.files[0]?.id ?? "");
  expect([file?.type, new Uint8Array((await file?.arrayBuffer()) ?? [])]).toEqual(["application/x-a", bytes]);
  expect(JSON.stringify(copy)).not.toContain(original.id);
  expect(second?.files[0]?.id).not.toBe("f");
});

test("an import adds to the saved conversations", async () => {
  await putConversation(answered(replyWith({})));
  const text = await (await exportAll()).text();
  await importAll(text);
  await importAll(text);
  expect(new Set((await allConversations()).map(({ id }) => id)).size).toBe(3);
});

test("a file that is no export is refused, and changes nothing", async () => {
  const format = "msgmodel-conversations";
  const bad = ["", "null", "[]", "{}", '{"format": "another"}', JSON.stringify({ format, conversations: {} })];
  bad.push(JSON.stringify({ format, conversations: [{ title: "without panels" }] }));
  for (const text of bad) await expect(importAll(text), text).rejects.toThrow();
  expect(await allConversations()).toEqual([]);
});

test("a reply that was exported while it was written is marked as unfinished", async () => {
  const [copy] = await imported(answered(replyWith({ content: "Half of" })));
  const reply = copy?.panels[0]?.turns[0]?.replies[0];
  expect(reply).toMatchObject({ content: "Half of", end: null, lost: { code: "interrupted" } });
});

test("values of a wrong type are replaced, and unknown keys are dropped", async () => {
  const reply = {
    provider: 5,
    content: null,
    reasoning: {},
    refusal: [],
    toolCalls: [null, { name: {}, arguments: 1 }],
    sources: [null, { url: {}, title: 5, text: "a source" }],
    end: { event: "panel_final", usage: {}, timing: {}, message: {} },
    lost: { code: {}, message: null },
    onclick: "alert(1)",
  };
  const turns = [{ kind: "other", text: 1, files: "none", replies: [reply] }];
  const panels = Array.from({ length: 20 }, () => ({ provider: "openai", turns }));
  const settings = { system: [], maxTokens: "many", temperature: "hot", reasoning: "extreme" };
  const [copy] = await imported({ title: 7, panels, settings, streams: [{ id: "s" }] });
  expect(copy?.panels).toHaveLength(8);
  expect(copy).toMatchObject({ title: "7", streams: [] });
  expect(copy?.settings).toEqual({ system: "", maxTokens: null, temperature: null, reasoning: "", maxCost: null });
  const [turn] = copy?.panels[0]?.turns ?? [];
  expect(turn).toMatchObject({ kind: "typed", text: "1", files: [] });
  const [shown] = turn?.replies ?? [];
  expect(shown).toMatchObject({ provider: "5", content: "", end: null, sources: [{ url: null, title: null }] });
  expect(shown?.lost?.code).toBe("[object Object]");
  expect(shown).not.toHaveProperty("onclick");
});
