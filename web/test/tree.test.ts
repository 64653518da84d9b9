import { expect, test } from "vitest";
import { newPanel, newTurn, type Panel, replaceReplies, type Turn } from "../src/model";
import {
  addReply,
  addVersion,
  attachmentsOf,
  everyTurn,
  pathTo,
  shownReply,
  showReply,
  showVersion,
  versionsOf,
} from "../src/tree";
import { answered, frozen, replyWith } from "./support";

const asked = (text: string): Turn => ({ ...newTurn("typed", text), id: text });
const answer = (content: string) => ({ ...replyWith({ content }), id: content });

/** Return a panel with these questions, each with one answer. */
const panelWith = (...questions: string[]): Panel =>
  questions.reduce((panel, text) => frozen(addReply(panel, asked(text), answer(`to ${text}`))), newPanel("openai"));

/** Return what is shown: each question with its answer. */
const shown = ({ turns }: Panel): string[] => turns.map((turn) => `${turn.text}: ${shownReply(turn)?.content}`);

const edit = (panel: Panel, before: string, after: string): Panel => {
  const version = addVersion(panel, before, asked(after));
  return frozen(addReply(version, version.turns.at(-1) as Turn, answer(`to ${after}`)));
};

test("an edited question keeps the version before it with all that followed, and each can be shown again", () => {
  const once = edit(panelWith("a", "b", "c"), "b", "b2");
  expect(shown(once)).toEqual(["a: to a", "b2: to b2"]);
  expect(versionsOf(once.turns[1] as Turn)).toEqual({ count: 2, place: 1 });
  const twice = edit(once, "b2", "b3");
  expect(versionsOf(twice.turns[1] as Turn)).toEqual({ count: 3, place: 2 });
  const first = frozen(showVersion(twice, "b3", 0));
  expect(shown(first)).toEqual(["a: to a", "b: to b", "c: to c"]);
  expect(versionsOf(first.turns[1] as Turn)).toEqual({ count: 3, place: 0 });
  const middle = showVersion(first, "b", 1);
  expect([shown(middle)[1], versionsOf(middle.turns[1] as Turn).place]).toEqual(["b2: to b2", 1]);
  expect(showVersion(middle, "b2", 2).turns).toEqual(twice.turns);
  expect(showVersion(middle, "b2", 7)).toBe(middle);
  expect(showVersion(middle, "no such turn", 0)).toBe(middle);
});

test("a version made from an earlier one comes last", () => {
  const back = frozen(showVersion(edit(edit(panelWith("a"), "a", "b"), "b", "c"), "c", 0));
  const third = edit(back, "a", "d");
  expect(versionsOf(third.turns[0] as Turn)).toEqual({ count: 4, place: 3 });
  const texts = [0, 1, 2, 3].map((place) => showVersion(third, "d", place).turns[0]?.text);
  expect(texts).toEqual(["a", "b", "c", "d"]);
});

test("another answer in the middle keeps what followed the one before", () => {
  const before = panelWith("a", "b");
  const again = frozen(addReply(before, before.turns[0] as Turn, answer("second")));
  expect(shown(again)).toEqual(["a: second"]);
  const longer = frozen(addReply(again, asked("c"), answer("to c")));
  const first = frozen(showReply(longer, "a", "to a"));
  expect(shown(first)).toEqual(["a: to a", "b: to b"]);
  expect(shown(showReply(first, "a", "second"))).toEqual(["a: second", "c: to c"]);
  expect(showReply(first, "a", "no such reply")).toBe(first);
});

test("what streams into a branch that is not shown arrives there", () => {
  const hidden = edit(panelWith("a", "b"), "a", "a2");
  const conversation = frozen({ ...answered(replyWith({})), panels: [hidden] });
  const after = replaceReplies(conversation, new Map([[hidden.id, { ...answer("to b"), content: "more" }]]));
  const panel = after.panels[0] as Panel;
  expect(panel.turns[0]?.id).toBe("a2");
  expect(shown(showVersion(panel, "a2", 0))).toEqual(["a: to a", "b: more"]);
  expect(replaceReplies(conversation, new Map([[hidden.id, answer("no such reply")]])).panels[0]?.turns).toBe(
    hidden.turns,
  );
});

test("every turn and every file is found, and the way to each turn shows the answers on it", () => {
  const file = { id: "f", name: "f.txt", type: "text/plain", size: 1 };
  const start = panelWith("a", "b");
  const withFile = {
    ...start,
    turns: start.turns.map((turn) => (turn.id === "b" ? { ...turn, files: [file] } : turn)),
  };
  const again = addReply(withFile, withFile.turns[0] as Turn, answer("second"));
  const edited = edit(addReply(again, asked("c"), answer("to c")), "c", "c2");
  expect([...everyTurn(edited.turns)].map(({ id }) => id).sort()).toEqual(["a", "b", "c", "c2"]);
  expect(attachmentsOf({ ...answered(replyWith({})), panels: [edited] })).toEqual([file]);
  const toB = pathTo(edited.turns, "b")?.map((turn) => shownReply(turn)?.content);
  expect([toB, pathTo(edited.turns, "c")?.map((turn) => shownReply(turn)?.content)]).toEqual([["to a"], ["second"]]);
  expect(pathTo(edited.turns, "no such turn")).toBeNull();
});

test("a conversation of version 5.0 is a tree of one branch", () => {
  // As it is in the browsers: no time, no round, no version, no part.
  const saved = JSON.parse(
    `{"id":"t1","kind":"typed","text":"Hello?","files":[],"replies":[
      {"id":"r1","provider":"openai","model":"m","content":"One","reasoning":"","refusal":"","toolCalls":[],"sources":[],"note":null,"end":null,"lost":null},
      {"id":"r2","provider":"openai","model":"m","content":"Two","reasoning":"","refusal":"","toolCalls":[],"sources":[],"note":null,"end":null,"lost":null}]}`,
  ) as Turn;
  const panel: Panel = frozen({ id: "p", provider: "openai", model: "", turns: [saved] });
  expect([versionsOf(saved), shownReply(saved)?.content]).toEqual([{ count: 1, place: 0 }, "Two"]);
  const edited = edit(panel, "t1", "Good day?");
  expect(showVersion(edited, "Good day?", 0).turns[0]).toMatchObject(saved);
  expect(shown(showReply(panel, "t1", "r1"))).toEqual(["Hello?: One"]);
});
