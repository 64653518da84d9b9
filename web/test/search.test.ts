import { expect, test } from "vitest";
import { type Conversation, newPanel, newTurn } from "../src/model";
import { groupByDay, searchConversations } from "../src/search";
import { addReply, addVersion } from "../src/tree";
import { answered, replyWith } from "./support";

const said = (title: string, content: string): Conversation => ({ ...answered(replyWith({ content })), title });

test("titles, questions and replies are searched, all words of the query, in any case", () => {
  const salt = said("Salt in the Baltic", "It is far less SALTY because rivers run in.");
  const bread = said("Rye bread", "Half the recipe, with 20 g of salt instead of 40.");
  const found = searchConversations([salt, bread, said("Knots", "A bowline.")], "  salt  ");
  expect(found.map(({ conversation }) => conversation.title)).toEqual(["Salt in the Baltic", "Rye bread"]);
  expect(found[0]?.title.marks).toEqual([[0, 4]]);
  expect(found[1]?.excerpt).toEqual({ text: "Half the recipe, with 20 g of salt instead of 40.", marks: [[30, 34]] });
  expect(searchConversations([salt, bread], "rivers baltic").length).toBe(1);
  expect(searchConversations([salt, bread], "rivers bread")).toEqual([]);
  expect(searchConversations([salt, bread], " ")).toEqual([]);
});

test("an excerpt shows what stands around a place deep in a text", () => {
  const [found] = searchConversations([said("x", `${"word ".repeat(200)}needle ${"more ".repeat(200)}`)], "needle");
  const { text = "", marks = [] } = found?.excerpt ?? {};
  expect(text.length).toBeLessThan(200);
  expect(marks.map(([start, end]) => text.slice(start, end))).toEqual(["needle"]);
  expect([text.startsWith("…"), text.endsWith("…")]).toEqual([true, true]);
});

test("versions that are not shown are searched, too", () => {
  const panel = addReply(newPanel("openai"), newTurn("typed", "before"), replyWith({ content: "old" }));
  const edited = addVersion(panel, panel.turns[0]?.id ?? "", newTurn("typed", "after"));
  const conversation = { ...said("x", ""), panels: [edited] };
  expect(searchConversations([conversation], "old before").length).toBe(1);
});

test("marks stand right in a text with letters that change their length in lower case", () => {
  const [found] = searchConversations([said("İstanbul and salt", "")], "salt");
  expect(found?.title.marks).toEqual([[13, 17]]);
});

test("the list is in groups by day, the pinned ones first", () => {
  const now = new Date(2026, 10, 30, 9, 0);
  const at = (title: string, ...date: [number, number, number, number?]): Conversation => ({
    ...said(title, ""),
    updatedAt: new Date(...(date as [number, number, number])).getTime(),
  });
  const all = [
    at("a", 2026, 10, 30, 0),
    at("b", 2026, 10, 29, 23),
    { ...at("c", 2026, 10, 26), pinned: true },
    at("d", 2026, 10, 23),
    at("e", 2026, 10, 22),
    at("f", 2026, 9, 3),
    at("g", 2025, 9, 3),
  ];
  const names = { pinned: "Pinned", today: "Today", yesterday: "Yesterday", week: "Last 7 days" };
  const groups = groupByDay(all, now, names).map(({ name, conversations }) => [
    name,
    conversations.map((c) => c.title),
  ]);
  expect(groups).toEqual([
    ["Pinned", ["c"]],
    ["Today", ["a"]],
    ["Yesterday", ["b"]],
    ["Last 7 days", ["d"]],
    ["November", ["e"]],
    ["October", ["f"]],
    ["October 2025", ["g"]],
  ]);
});
