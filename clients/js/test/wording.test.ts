import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { PanelFinal } from "../src/index.js";
import { ERROR_WORDS, errorWords, STATUS_WORDS, statusWords } from "../src/wording.js";

const EVENTS_SOURCE = readFileSync(new URL("../../src/events.ts", import.meta.url), "utf-8");

/** Return the members of a union of strings in events.ts. */
function membersOf(type: string): string[] {
  const [, union] = new RegExp(`export type ${type} =([^;]+);`).exec(EVENTS_SOURCE) ?? assert.fail(`no type ${type}`);
  return [...(union ?? "").matchAll(/"(\w+)"/g)].map(([, member]) => member ?? "").sort();
}

test("every status has its words", () => {
  assert.deepEqual(Object.keys(STATUS_WORDS).sort(), membersOf("Status"));
  const silent = Object.entries(STATUS_WORDS).filter(([, words]) => words === "");
  assert.deepEqual(silent, [["complete", ""]]);
});

test("every error code has its words, and advice unless the user stopped the reply", () => {
  assert.deepEqual(Object.keys(ERROR_WORDS).sort(), [...membersOf("ErrorCode"), "expired", "http"].sort());
  for (const [code, { label, advice }] of Object.entries(ERROR_WORDS)) {
    assert.match(label, /^[A-Z].*[^.]$/, code);
    assert.match(advice, code === "cancelled" ? /^$/ : /^[A-Z].*\.$/, code);
  }
});

test("endings in words", () => {
  const final = (rest: object) => ({ event: "panel_final", ...rest }) as PanelFinal;
  const endings: [PanelFinal, string][] = [
    [final({ status: "complete" }), ""],
    [final({ status: "truncated", truncated_in: "text" }), "Cut off"],
    [final({ status: "truncated", truncated_in: null }), "Cut off"],
    [final({ status: "truncated", truncated_in: "tool_call" }), "Cut off inside a tool call"],
    [final({ status: "filtered" }), "Filtered by the provider"],
    [final({ status: "filtered", refusal: "No." }), "Refused by the model"],
  ];
  for (const [end, words] of endings) assert.equal(statusWords(end), words);
  assert.equal(errorWords("rate_limit").label, "Too many requests");
  for (const code of ["a_code_of_a_later_version", "constructor"]) {
    assert.deepEqual(errorWords(code), { label: "Failed", advice: "" });
  }
});
