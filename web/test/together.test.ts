// @vitest-environment jsdom

import { beforeEach, expect, test, vi } from "vitest";
import { allConversations } from "../src/database";
import type { News } from "../src/other-tabs";
import { conversations, current, deleteAllConversations, openConversation, renameConversation } from "../src/store";
import { mergeReplies, receiveNews } from "../src/together";
import { answered, ended, final, frozen, replyWith } from "./support";

beforeEach(() => deleteAllConversations());

const changed = (conversation: ReturnType<typeof answered>): News => ({ kind: "changed", conversation });
const titles = (): string[] => conversations.value.map(({ title }) => title);

test("what another tab has saved, renamed or deleted is so in this one", () => {
  const one = frozen(answered(replyWith({ content: "Hel" })));
  receiveNews(changed(one));
  openConversation(one.id);
  expect(current.value).toEqual(one);
  receiveNews(changed({ ...one, title: "Renamed" }));
  expect(titles()).toEqual(["Renamed"]);
  receiveNews({ kind: "deleted", id: one.id });
  expect([titles(), current.value.id === one.id]).toEqual([[], false]);
  receiveNews(changed(one));
  receiveNews({ kind: "emptied" });
  expect(titles()).toEqual([]);
});

test("a tab tells the others what it saves, and not what it was told", async () => {
  const heard: News[] = [];
  const other = new BroadcastChannel("msgmodel");
  other.onmessage = ({ data }) => heard.push(data as News);
  const one = answered(replyWith({ content: "Hello" }));
  receiveNews(changed(one));
  renameConversation(one.id, "Mine");
  await vi.waitFor(() => expect(heard.length).toBe(1));
  expect(heard[0]).toMatchObject({ kind: "changed", conversation: { title: "Mine" } });
  other.close();
});

test("a reply that has ended here is not lost to a tab that has only its beginning", async () => {
  const whole = ended(final("p", "Hello"));
  const here = answered(whole);
  receiveNews(changed(here));
  const behind = { ...here, panels: answered({ ...whole, content: "Hel", end: null }).panels };
  expect(mergeReplies(behind, here)).toMatchObject({ knewMore: true });
  receiveNews(changed(behind));
  expect(conversations.value[0]?.panels[0]?.turns[0]?.replies[0]).toEqual(whole);
  await vi.waitFor(async () => expect(await allConversations()).toEqual(conversations.value));
  expect(mergeReplies(here, behind)).toEqual({ merged: here, knewMore: false });
});
