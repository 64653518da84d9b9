import { expect, test } from "vitest";
import {
  changePanel,
  hasQuestions,
  newConversation,
  newPanel,
  newTurn,
  questionsOf,
  replaceReplies,
} from "../src/model";
import { addReply } from "../src/tree";
import { answered, frozen, replyWith } from "./support";

test("a reply is added to a new turn, or to the turn that it retries", () => {
  const turn = newTurn("typed", "Hello?");
  const [first, second] = [replyWith({}), replyWith({})];
  const once = addReply(frozen(newPanel("openai")), turn, first);
  const [asked] = frozen(once).turns;
  const twice = addReply(once, asked ?? turn, second);
  expect(once.turns.map(({ replies }) => replies)).toEqual([[first]]);
  expect(twice.turns.map(({ id, replies }) => [id, replies])).toEqual([[turn.id, [first, second]]]);
});

test("a change makes new objects on its way, and keeps all others", () => {
  const before = frozen(answered(replyWith({}), replyWith({})));
  const [left, right] = before.panels;
  const reply = left?.turns[0]?.replies[0];
  if (!left || !right || !reply) throw new Error("the conversation has two panels");
  const after = replaceReplies(before, new Map([[left.id, { ...reply, content: "Hi." }]]));
  expect(after.panels[0]?.turns[0]?.replies[0]?.content).toBe("Hi.");
  expect(after).not.toBe(before);
  expect(after.panels[0]).not.toBe(left);
  expect(after.panels[1]).toBe(right);
  expect(changePanel(before, "no such panel", () => left).panels).toEqual(before.panels);
});

test("the questions of a stream are found by its replies", () => {
  const conversation = answered(replyWith({}), replyWith({}));
  const [left] = conversation.panels;
  const reply = left?.turns[0]?.replies[0];
  const replies = { [left?.id ?? ""]: reply?.id ?? "" };
  const found = questionsOf(conversation, { id: null, key: "k", askedAt: 0, replies });
  expect(found).toEqual([{ panel: left, turn: left?.turns[0], reply }]);
});

test("a conversation without a turn has no questions", () => {
  expect(hasQuestions(newConversation([newPanel("openai")]))).toBe(false);
  expect(hasQuestions(answered(replyWith({})))).toBe(true);
});
