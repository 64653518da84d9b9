import { initial, reduce, type StreamEvent } from "msgmodel-client";
import { expect, test } from "vitest";
import { badgeWords, copyState, endingOf, errorOf, formatDollars, spokenEnding, usageFacts } from "../src/reply";
import { delta, ended, failed, final, frozen, replyWith } from "./support";

test("what has arrived is copied, and the reply before stays as it was", () => {
  const retried = { event: "panel_retry", panel_id: "p", reason: "fallback", provider: "gemini", error: "Busy." };
  const events = [retried as StreamEvent, delta("p", "Hel"), delta("p", "lo")];
  const state = events.reduce(reduce, initial(["p"])).panels[0];
  if (!state) throw new Error("the state has one panel");
  const before = frozen(replyWith({}));
  const after = copyState(before, state);
  expect(after).toMatchObject({ id: before.id, content: "Hello", note: { reason: "fallback", error: "Busy." } });
});

test("every ending has its state, its badge and its spoken words", () => {
  const lost = { code: "network", message: "No answer." };
  const cases = [
    [replyWith({}), "streaming", "", "openai: reply complete"],
    [ended(final("p", "Hi.")), "complete", "", "openai: reply complete"],
    [ended(final("p", "Hi", { status: "truncated" })), "truncated", "Cut off", "openai: cut off"],
    [ended(failed("p", "Hi", "interrupted")), "broken", "Broke off", "openai: broke off: the connection broke"],
    [ended(failed("p", "", "rate_limit")), "broken", "Failed", "openai: failed: too many requests"],
    [ended(failed("p", "Hi", "cancelled")), "stopped", "Stopped", "openai: stopped"],
    [replyWith({ lost }), "broken", "Failed", "openai: failed: no connection"],
    [replyWith({ lost: { ...lost, code: "from_a_proxy" } }), "broken", "Failed", "openai: failed"],
    [replyWith({ lost: { ...lost, code: "cancelled" } }), "stopped", "Stopped", "openai: stopped"],
  ] as const;
  for (const [reply, ending, badge, spoken] of cases) {
    expect([endingOf(reply), badgeWords(reply), spokenEnding(reply)]).toEqual([ending, badge, spoken]);
  }
});

test("the error card shows the server's message with our words", () => {
  const end = { ...failed("p", "", "rate_limit", "Slow down."), retry_after: 7 };
  const advice = "Wait a moment, then retry.";
  const shown = { code: "rate_limit", message: "Slow down.", label: "Too many requests", advice, retryAfter: 7 };
  expect(errorOf(ended(end))).toEqual(shown);
  expect(errorOf(replyWith({ lost: { code: "network", message: "No answer." } }))).toMatchObject({
    message: "No answer.",
    retryAfter: null,
  });
  expect(errorOf(ended(failed("p", "", "cancelled")))).toBeNull();
  expect(errorOf(ended(final("p", "")))).toBeNull();
});

test("the line under a reply", () => {
  const facts = (rest: object) => usageFacts(ended(final("p", "Hi", rest))).map(({ label, value }) => [label, value]);
  expect(facts({ cost: 0.00123 })).toEqual([
    ["tokens", "12 in, 34 out"],
    ["cost", "$0.0012"],
    ["first token", "0.25 s"],
    ["total", "12.3 s"],
  ]);
  const usage = { ...final("p", "").usage, source: "estimated" };
  expect(facts({ usage })[0]).toEqual(["tokens", "≈ 12 in, 34 out"]);
  const timing = { first_delta_seconds: null, total_seconds: 1, attempts: 3 };
  expect(facts({ usage: { ...usage, input_tokens: 0, output_tokens: 0 }, timing })).toEqual([
    ["total", "1.00 s"],
    ["requests", "3"],
  ]);
  expect(usageFacts(replyWith({}))).toEqual([]);
  expect([0, 0.5, 12].map(formatDollars)).toEqual(["$0", "$0.50", "$12.00"]);
});
