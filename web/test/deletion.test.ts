// @vitest-environment jsdom

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { allConversations, getFile, putFile } from "../src/database";
import { forget } from "../src/deletion";
import { type Conversation, newTurn } from "../src/model";
import { endingOf } from "../src/reply";
import { changeConversation, conversations, current, deleteAllConversations, startConversation } from "../src/store";
import { texts } from "../src/texts";
import { dropToast, toasts } from "../src/toasts";
import { addReply } from "../src/tree";
import { ended, final, replyWith } from "./support";

beforeEach(async () => {
  await deleteAllConversations();
  startConversation();
  toasts.value = [];
});
afterEach(() => vi.useRealTimers());

/** Make a conversation with a file that is listed and saved. */
async function makeConversation(title: string, rest: Partial<Conversation> = {}): Promise<Conversation> {
  startConversation();
  await putFile(`file of ${title}`, new Blob([title]));
  const file = { id: `file of ${title}`, name: "a.txt", type: "text/plain", size: 1 };
  changeConversation(current.value.id, (before) => ({
    ...before,
    ...rest,
    title,
    panels: before.panels.map((panel) =>
      addReply(panel, newTurn("typed", title, [file]), ended(final(panel.id, "Hello"))),
    ),
  }));
  await vi.waitFor(async () => expect((await allConversations()).map((saved) => saved.title)).toContain(title));
  return current.value;
}

/** Take back the deletion that was told last. */
async function undo(): Promise<void> {
  const last = toasts.value.findLast((toast) => toast.undo !== null);
  if (last === undefined) return;
  dropToast(last.id);
  last.undo?.();
  await vi.waitFor(() => expect(toasts.value.at(-1)?.text).toBe(texts.toast.restored));
}

const listed = (): string[] => conversations.value.map(({ title }) => title);

test("a deleted conversation comes back with its files, and is open", async () => {
  const made = await makeConversation("one");
  forget(made);
  expect(listed()).toEqual([]);
  await vi.waitFor(async () =>
    expect([await allConversations(), await getFile("file of one")]).toEqual([[], undefined]),
  );
  await undo();
  expect(current.value).toEqual(made);
  expect(await allConversations()).toEqual([made]);
  expect(await (await getFile("file of one"))?.text()).toBe("one");
});

test("two come back one by one, the latest first", async () => {
  for (const title of ["one", "two"]) await makeConversation(title);
  const [two, one] = conversations.value;
  for (const conversation of [one, two, one]) forget(conversation as Conversation); // the last is deleted already
  expect(toasts.value.map(({ text }) => text)).toEqual(["“one” is deleted.", "“two” is deleted."]);
  await undo();
  expect(listed()).toEqual(["two"]);
  toasts.value = toasts.value.filter(({ undo: back }) => back !== null);
  await undo();
  expect(listed().sort()).toEqual(["one", "two"]);
});

test("after ten seconds nothing of it is left", async () => {
  const made = await makeConversation("one");
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  forget(made);
  vi.advanceTimersByTime(9_999);
  expect(toasts.value).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(toasts.value).toEqual([]);
});

test("a reply whose stream ended meanwhile is one that was stopped", async () => {
  const reply = replyWith({ content: "Hel" });
  startConversation();
  const panelId = current.value.panels[0]?.id ?? "";
  changeConversation(current.value.id, (before) => ({
    ...before,
    title: "one",
    panels: before.panels.map((panel) => addReply(panel, newTurn("typed", "one"), reply)),
    streams: [{ id: "s1", key: "k1", askedAt: 0, replies: { [panelId]: reply.id } }],
  }));
  forget(current.value);
  await undo();
  const restored = current.value.panels[0]?.turns[0]?.replies[0];
  expect([current.value.streams, restored?.content, restored && endingOf(restored)]).toEqual([[], "Hel", "stopped"]);
});
