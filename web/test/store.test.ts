// @vitest-environment jsdom

import { effect } from "@preact/signals";
import { beforeEach, expect, test, vi } from "vitest";
import { writeAddress } from "../src/address";
import { allConversations, putConversation, removeEverything } from "../src/database";
import { type Conversation, newTurn } from "../src/model";
import {
  changeConversation,
  conversations,
  current,
  deleteAllConversations,
  deleteConversation,
  followAddress,
  openConversation,
  readConversations,
  renameConversation,
  startConversation,
  touch,
} from "../src/store";
import { addReply } from "../src/tree";
import { answered, frozen, replyWith } from "./support";

beforeEach(async () => {
  await deleteAllConversations();
});

const titles = (found: readonly Conversation[]): string[] => found.map(({ title }) => title);

/** Ask a question in the open conversation. */
function askHere(title: string): string {
  const { id } = current.value;
  changeConversation(id, (before) => ({
    ...frozen(before),
    title,
    panels: before.panels.map((panel) => addReply(panel, newTurn("typed", title), replyWith({}))),
  }));
  return id;
}

async function saved(): Promise<string[]> {
  return titles(await allConversations()).sort();
}

test("a conversation is listed and saved from its first question on", async () => {
  changeConversation(current.value.id, (before) => ({ ...before, title: "draft" }));
  expect([current.value.title, conversations.value.length, await saved()]).toEqual(["draft", 0, []]);
  const id = askHere("one");
  expect([current.value.id, titles(conversations.value)]).toEqual([id, ["one"]]);
  await vi.waitFor(async () => expect(await saved()).toEqual(["one"]));
});

test("what has read a conversation is drawn again at each change, and only then", () => {
  const shown: string[] = [];
  const stop = effect(() => void shown.push(current.value.title));
  const id = askHere("one");
  renameConversation(id, "two");
  renameConversation("no such conversation", "three");
  stop();
  expect(shown).toEqual(["", "one", "two"]);
});

test("an empty title keeps the old one", () => {
  const id = askHere("one");
  renameConversation(id, "  ");
  expect(current.value.title).toBe("one");
});

test("the conversation that was used last comes first", () => {
  const first = askHere("one");
  startConversation();
  askHere("two");
  changeConversation(first, (before) => ({ ...touch(before), updatedAt: Date.now() + 1000 }));
  expect(titles(conversations.value)).toEqual(["one", "two"]);
});

test("a conversation that loses its questions with a panel stays listed", async () => {
  const id = askHere("one");
  changeConversation(id, (before) => ({ ...before, panels: before.panels.map((panel) => ({ ...panel, turns: [] })) }));
  expect([titles(conversations.value), current.value.id]).toEqual([["one"], id]);
  await vi.waitFor(async () => expect((await allConversations())[0]?.panels[0]?.turns).toEqual([]));
});

test("a conversation that was deleted stays deleted, even if its stream goes on", async () => {
  const id = askHere("one");
  const { panels } = current.value;
  await deleteConversation(current.value);
  changeConversation(id, (before) => ({ ...before, title: "again" }));
  expect([conversations.value.length, await saved(), current.value.id === id]).toEqual([0, [], false]);
  expect(current.value.panels.map(({ provider }) => provider)).toEqual(panels.map(({ provider }) => provider));
});

test("reading the saved conversations keeps those in memory, and reopens the last one", async () => {
  const id = askHere("in memory");
  await vi.waitFor(async () => expect(await saved()).toEqual(["in memory"]));
  const inMemory = current.value;
  await putConversation({ ...answered(replyWith({})), title: "saved before" });
  await readConversations();
  expect(titles(conversations.value).sort()).toEqual(["in memory", "saved before"]);
  expect(conversations.value).toContain(inMemory);
  openConversation(conversations.value.find(({ title }) => title === "saved before")?.id ?? "");
  followAddress();
  expect(current.value.title).toBe("saved before");
  writeAddress(null, true);
  followAddress();
  expect([current.value.title, current.value.id === id]).toEqual(["", false]);
  await removeEverything();
});
