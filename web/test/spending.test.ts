// What conversations have cost, and how full a context is.

import { expect, test } from "vitest";
import { newConversation, newPanel, newReply, newTurn, type Reply } from "../src/model";
import { costOfDay, filledBy, totalOf } from "../src/spending";
import { final } from "./support";

const NOW = new Date(2026, 10, 30, 12);
const reply = (cost: number | null, at: number, rest = {}): Reply => ({
  ...newReply("openai", "a-model"),
  asked: { maxTokens: null, budget: null, at },
  end: final("p", "Hi.", { cost, ...rest }),
});
const talk = (replies: readonly Reply[], updatedAt = NOW.getTime()) => ({
  ...newConversation([{ ...newPanel("openai", "a-model"), turns: [{ ...newTurn("typed", "Hi"), replies }] }]),
  updatedAt,
});

test("all replies count, also those that are not shown; what is not known adds nothing", () => {
  const total = totalOf(talk([reply(0.25, 0), reply(null, 0), { ...newReply("openai", ""), content: "Half" }]));
  expect(total).toEqual({ replies: 2, input: 24, output: 68, cost: 0.25, about: false });
  expect(totalOf(talk([reply(null, 0)])).cost).toBeNull();
});

test("a day begins at midnight, and a reply counts by when it was asked for", () => {
  const [today, yesterday] = [new Date(2026, 10, 30, 0, 1).getTime(), new Date(2026, 10, 29, 23, 59).getTime()];
  expect(costOfDay([talk([reply(0.25, today), reply(0.5, yesterday)])], NOW)).toBe(0.25);
  expect(costOfDay([talk([reply(0.5, yesterday)], yesterday)], NOW)).toBeNull();
  expect(costOfDay([], NOW)).toBeNull();
});

test("the last reply with a count says how full the context is", () => {
  const { panels } = talk([reply(0, 0)]);
  expect(panels.map(filledBy)).toEqual([46]);
  expect(filledBy(newPanel("openai"))).toBeNull();
});
