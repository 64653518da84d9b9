import { expect, test } from "vitest";
import { differencesOf } from "../src/differences";
import { newPanel, newTurn, type Turn } from "../src/model";
import { rowsOf } from "../src/rows";

const asked = (text: string, round?: string): Turn => ({ ...newTurn("typed", text), ...(round && { round }) });
const panel = (...turns: Turn[]) => ({ ...newPanel("openai"), turns });
const shown = (panels: ReturnType<typeof panel>[]) =>
  rowsOf(panels).map(({ question, cells }) => [question.text, cells.map((turns) => turns.length)]);

test("answers to the same question stand in one row", () => {
  const one = panel(asked("a", "1"), newTurn("continue", "Go on"), asked("b", "2"));
  const two = panel(asked("a", "1"), asked("b", "2"));
  expect(shown([one, two])).toEqual([
    ["a", [2, 1]],
    ["b", [1, 1]],
  ]);
});

test("a panel that was asked less, or later, leaves a gap", () => {
  const one = panel(asked("a", "1"), asked("b", "2"), asked("c", "3"));
  const two = panel(asked("b", "2"));
  expect(shown([two, one])).toEqual([
    ["a", [0, 1]],
    ["b", [1, 1]],
    ["c", [0, 1]],
  ]);
  expect(shown([panel(), panel()])).toEqual([]);
});

test("questions without a round are the same by their words; crossed orders end", () => {
  expect(shown([panel(asked("a"), asked("b")), panel(asked("a"))])).toEqual([
    ["a", [1, 1]],
    ["b", [1, 0]],
  ]);
  expect(shown([panel(asked("a", "1"), asked("b", "2")), panel(asked("b", "2"), asked("a", "1"))])).toHaveLength(3);
});

const marked = (...answers: string[]) =>
  differencesOf(answers).map((places, at) => places.map(([start, end]) => answers[at]?.slice(start, end)));

test("runs of three words that no other answer has are marked, and numbers that differ", () => {
  expect(marked("Salt comes from vents on the sea floor.", "Salt comes from rivers.")).toEqual([
    ["vents on the sea floor"],
    [],
  ]);
  expect(marked("It is 35 grams.", "It is 42 grams.")).toEqual([["35"], ["42"]]);
  expect(marked("Same words here.", "same words, here")).toEqual([[], []]);
  expect(marked("Only one")).toEqual([[]]);
});
