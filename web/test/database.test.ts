import { afterEach, expect, test, vi } from "vitest";
import * as database from "../src/database";
import { newTurn } from "../src/model";
import { answered, replyWith } from "./support";

afterEach(() => database.removeEverything());

const file = (id: string) => ({ id, name: `${id}.txt`, type: "text/plain", size: 3 });

function withFiles(...ids: string[]) {
  const conversation = answered(replyWith({}));
  const turn = newTurn("typed", "Read them.", ids.map(file));
  return { ...conversation, panels: conversation.panels.map((panel) => ({ ...panel, turns: [...panel.turns, turn] })) };
}

test("conversations and files are stored, replaced, and removed together", async () => {
  const [one, other] = [withFiles("a", "b"), withFiles("c")];
  for (const conversation of [one, other, { ...one, title: "changed" }]) await database.putConversation(conversation);
  for (const id of ["a", "b", "c"]) await database.putFile(id, new Blob([id]));
  expect((await database.allConversations()).map(({ title }) => title).sort()).toEqual(["Hello?", "changed"]);
  expect(await (await database.getFile("a"))?.text()).toBe("a");
  await database.removeConversation(one);
  expect(await database.allConversations()).toEqual([other]);
  expect(await Promise.all(["a", "b"].map(database.getFile))).toEqual([undefined, undefined]);
  expect(await (await database.getFile("c"))?.text()).toBe("c");
  expect(database.isPersistent.value).toBe(true);
});

test("without IndexedDB everything is kept in memory, and the page can say so", async () => {
  const { indexedDB } = globalThis;
  Reflect.deleteProperty(globalThis, "indexedDB");
  vi.resetModules();
  try {
    const inMemory: typeof database = await import("../src/database");
    const conversation = withFiles("a");
    await inMemory.putConversation(conversation);
    await inMemory.putFile("a", new Blob(["a"]));
    expect(await inMemory.allConversations()).toEqual([conversation]);
    expect(inMemory.isPersistent.value).toBe(false);
    await inMemory.removeConversation(conversation);
    expect([await inMemory.allConversations(), await inMemory.getFile("a")]).toEqual([[], undefined]);
  } finally {
    globalThis.indexedDB = indexedDB;
  }
});
