import { initial, type PanelFinal, reduce, type StreamEvent } from "msgmodel-client";
import { ERROR_WORDS } from "msgmodel-client/wording";
import { expect, test } from "vitest";
import type { Reply } from "../src/model";
import {
  copyState,
  type Ending,
  endingOf,
  failureOf,
  formatDollars,
  formatSeconds,
  spokenEnding,
  untoldOf,
  verdictOf,
  warningsOf,
} from "../src/reply";
import { texts } from "../src/texts";
import { delta, ended, failed, final, frozen, replyWith } from "./support";

const status = (value: string, rest: Partial<PanelFinal> = {}, content = "Hi") =>
  ended(final("p", content, { status: value as PanelFinal["status"], ...rest }));
const lost = (code: string, content = "") => replyWith({ content, lost: { code, message: "No answer." } });
const call = { id: "c", name: "weather", arguments: "{}", arguments_json: {}, complete: true } as const;
const withCalls = (kind: "function" | "approval"): Reply => ({
  ...status("tool_calls"),
  toolCalls: [{ ...call, kind }],
});

/** Every ending: how it comes about, the words of its verdict, and what can be done. */
const CASES: readonly (readonly [Ending, Reply, string, readonly string[]])[] = [
  ["streaming", replyWith({}), "", []],
  ["complete", ended(final("p", "Hi.")), "", []],
  ["truncated", status("truncated"), "Cut off. The reply reached its limit.", ["continue", "raise"]],
  [
    "truncated",
    { ...status("truncated"), asked: { maxTokens: 34, budget: null } },
    "Cut off. The reply reached the limit of 34 tokens.",
    ["continue", "raise"],
  ],
  [
    "truncated",
    status("truncated", { truncated_in: "reasoning" }, ""),
    "Cut off while it was thinking. There is no answer yet.",
    ["continue", "raise"],
  ],
  [
    "truncated",
    status("truncated", { truncated_in: "tool_call" }),
    "Cut off inside a tool call. Nothing was run.",
    ["continue"],
  ],
  [
    "budget",
    status("budget", { cost: 0.0501, budget: 0.05 } as Partial<PanelFinal>),
    "Stopped at your budget of $0.05 a reply. It cost $0.05.",
    ["budgetMore", "budgetChange"],
  ],
  [
    "broken",
    ended(failed("p", "One two", "interrupted")),
    "Broke off after 2 words. The connection to OpenAI was lost; nothing that came is missing.",
    ["resume", "again"],
  ],
  [
    "broken",
    ended(failed("p", "One", "overloaded")),
    "Broke off after 1 word. OpenAI is overloaded.",
    ["resume", "again"],
  ],
  [
    "failed",
    ended({ ...failed("p", "", "authentication"), usage: { ...final("p", "").usage, output_tokens: 0 } }),
    "Failed before the first word. Nothing was charged.",
    ["other", "tryAgain"],
  ],
  ["failed", ended(failed("p", "", "server")), "Failed before the first word.", ["tryAgain", "other"]],
  ["failed", lost("network"), "Failed before the first word.", ["tryAgain", "other"]],
  ["failed", lost("from_a_proxy"), "Failed before the first word.", ["tryAgain", "other"]],
  ["refused", status("filtered", { refusal: "No." }), "Declined by the model.", ["edit", "again", "other"]],
  ["filtered", status("filtered"), "Filtered by OpenAI.", ["edit", "again", "other"]],
  ["stopped", ended(failed("p", "Hi", "cancelled")), "Stopped by you.", ["continue", "again"]],
  ["stopped", lost("cancelled"), "Stopped by you.", ["again"]],
  ["waiting", withCalls("approval"), "Waiting for your approval. Nothing has been run yet.", []],
  [
    "waiting",
    withCalls("function"),
    "Waiting for a result. This page can't run weather; your next message goes on without it.",
    [],
  ],
  ["paused", status("paused"), "Paused by OpenAI. It wants to be asked to go on.", ["continue"]],
  [
    "unknown",
    status("unknown", { finish_reason: "tired" }),
    "Unclear. OpenAI ended with “tired”, a word without a known meaning. Read it as if it were cut off.",
    ["continue", "again"],
  ],
  [
    "unknown",
    status("of_a_later_version", { finish_reason: null }),
    "Unclear. OpenAI gave no reason for the end. Read it as if it were cut off.",
    ["continue", "again"],
  ],
  ["empty", status("complete", { empty: true }, ""), "Empty. The model ended without a word.", ["again", "other"]],
];

test.each(CASES)("%s: %#", (ending, reply, words, acts) => {
  const { said, acts: offered } = verdictOf(reply);
  expect([endingOf(reply), said ? `${said.strong} ${said.rest}`.trim() : "", offered]).toEqual([ending, words, acts]);
});

test("every ending is among the cases, and each is spoken by its word", () => {
  expect(new Set(CASES.map(([ending]) => ending))).toEqual(new Set(Object.keys(texts.ending)));
  expect(spokenEnding(status("truncated"))).toBe("a-model: cut off");
  expect(spokenEnding(ended(failed("p", "", "rate_limit")))).toBe(
    "a-model: failed. a-model is getting too many questions just now.",
  );
});

test("what has arrived is copied, and the reply before stays as it was", () => {
  const retried = { event: "panel_retry", panel_id: "p", reason: "fallback", provider: "gemini", error: "Busy." };
  const events = [retried as StreamEvent, delta("p", "Hel"), delta("p", "lo")];
  const state = events.reduce(reduce, initial(["p"])).panels[0];
  if (!state) throw new Error("the state has one panel");
  const before = frozen(replyWith({}));
  const after = copyState(before, state);
  expect(after).toMatchObject({ id: before.id, content: "Hello", note: { reason: "fallback", error: "Busy." } });
});

test("progress is copied, and gone with the next event", () => {
  const waits: StreamEvent = { event: "panel_progress", panel_id: "p", phase: "thinking", seconds: 2 };
  const waiting = reduce(initial(["p"]), waits);
  const [first, second] = [waiting.panels[0], reduce(waiting, delta("p", "Hi")).panels[0]];
  if (!first || !second) throw new Error("the state has one panel");
  const before = frozen(copyState(replyWith({}), first));
  expect(before.progress).toEqual(waits);
  expect(copyState(before, second)).not.toHaveProperty("progress");
});

test("a wait before a retry ends at one time, however often it is drawn", () => {
  const retry = {
    event: "panel_retry",
    panel_id: "p",
    reason: "retry",
    seconds_to_wait: 4,
    attempt: 2,
    error: "Busy.",
  };
  const state = [retry as StreamEvent].reduce(reduce, initial(["p"])).panels[0];
  if (!state) throw new Error("the state has one panel");
  const first = copyState(replyWith({}), state, 1000);
  expect(copyState(first, state, 3000).note).toMatchObject({ attempt: 2, until: 5000 });
});

test("the time of thinking runs from the first thought to the first word", () => {
  const thought: StreamEvent = { event: "panel_reasoning", panel_id: "p", delta: "Hm." };
  const thinking = reduce(initial(["p"]), thought);
  const [one, two] = [thinking.panels[0], reduce(thinking, delta("p", "Hi")).panels[0]];
  if (!one || !two) throw new Error("the state has one panel");
  const before = copyState(replyWith({}), one, 1000);
  expect(before.thought).toEqual({ from: 1000, to: null });
  expect(copyState(copyState(before, two, 13_000), two, 20_000).thought).toEqual({ from: 1000, to: 13_000 });
});

test("a failure has a title and a sentence in plain words, and the provider's words only in the details", () => {
  const end = { ...failed("p", "", "rate_limit", "429 Too Many Requests"), retry_after: 19.2 };
  const failure = failureOf(ended({ ...end, timing: { ...end.timing, attempts: 3 } }));
  expect(failure).toMatchObject({
    title: "a-model is getting too many questions just now.",
    sentence: "OpenAI asks to wait 20 s. We tried three times.",
    act: "tryAgain",
    wait: 19.2,
  });
  expect(failure?.details).toContainEqual(["In its words", "429 Too Many Requests"]);
  expect(failureOf(ended(failed("p", "", "cancelled")))).toBeNull();
  expect(failureOf(ended(final("p", "")))).toBeNull();
});

test.each(Object.keys(ERROR_WORDS).filter((code) => code !== "cancelled"))("the failure %s", (code) => {
  for (const reply of [lost(code), ended(failed("p", "", code as never, "panels[0]: HTTP 400"))]) {
    const { title = "", sentence = "" } = failureOf(reply) ?? {};
    expect(title).toMatch(/^[A-Z\w].*\.$/);
    expect(`${title} ${sentence}`).not.toMatch(/[_[\]]|HTTP|undefined/);
  }
});

test("every warning has words of its own, and one of a later version the server's", () => {
  const warned = (code: string) =>
    warningsOf(ended(final("p", "Hi", { warnings: [{ code, message: "As it says." }] } as object)))[0];
  const codes =
    "model_substituted tier_changed context_cut context_edited parameter_ignored choice_dropped reasoning_hidden count_disagrees cached part_dropped text_replaced".split(
      " ",
    );
  const words = codes.map((code) => warned(code)?.said.strong);
  expect(new Set(words).size).toBe(codes.length);
  expect(words).not.toContain(texts.warning.other.strong);
  expect(warned("of_a_later_version")?.said).toEqual({ strong: texts.warning.other.strong, rest: "As it says." });
});

test("what an imported file claims can't break the words", () => {
  const reply = ended(final("p", "Hi", { warnings: [null, 5, {}], untold: {}, usage: null, timing: null } as object));
  expect([warningsOf(reply), untoldOf(reply)]).toEqual([[], ""]);
  expect(verdictOf({ ...reply, end: { ...reply.end, status: 5 } as never }).ending).toBe("unknown");
});

test("figures", () => {
  expect([null, 0, 0.00001, 0.00123, 0.05, 0.123, 12].map(formatDollars)).toEqual([
    "",
    "free",
    "under $0.0001",
    "$0.0012",
    "$0.05",
    "$0.123",
    "$12.00",
  ]);
  expect([0.25, 9.94, 9.96, 61].map(formatSeconds)).toEqual(["0.3 s", "9.9 s", "10 s", "61 s"]);
});
