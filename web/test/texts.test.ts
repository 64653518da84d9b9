import { ERROR_WORDS } from "msgmodel-client/wording";
import { expect, test } from "vitest";
import { texts } from "../src/texts";

/** Return every text of a table with its place; a function is called with `sample` for each of its parameters. */
function textsOf(table: unknown, place: string, sample: unknown): [string, string][] {
  if (typeof table === "string") return [[place, table]];
  if (typeof table === "function") return textsOf(table(sample, sample, sample), place, sample);
  return Object.entries(table as object).flatMap(([key, value]) => textsOf(value, `${place}.${key}`, sample));
}

const filled = ["Sample", 2].flatMap((sample) => textsOf(texts, "texts", sample));
const all = [...filled, ...textsOf(texts, "texts", "")];

test("no text speaks of the protocol or of the API", () => {
  expect(all.length).toBeGreaterThan(300);
  expect(all.filter(([, text]) => /HTTP|[_[\]]|undefined|NaN|!/.test(text))).toEqual([]);
});

test("texts are typeset: no straight quotes, no double spaces", () => {
  expect(filled.filter(([, text]) => /"| {2}|^ | $/.test(text))).toEqual([]);
});

test("every error code has its own words", () => {
  expect(Object.keys(ERROR_WORDS).filter((code) => !Object.hasOwn(texts.failure, code))).toEqual([]);
});

test("every ending has a word and a meaning", () => {
  expect(Object.keys(texts.meaning)).toEqual(Object.keys(texts.ending));
});
