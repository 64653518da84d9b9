import { expect, test } from "vitest";
import { bestOf, priceOf, receiptOf, shortFacts } from "../src/receipt";
import { ended, failed, final, replyWith } from "./support";

const reply = (rest: object) => ended(final("p", "Hi", rest));
const lines = (rest: object) =>
  Object.fromEntries(
    receiptOf(reply(rest))
      .flat()
      .map(({ label, value }) => [label, value]),
  );

test("the line under a reply has the time and the price", () => {
  expect(shortFacts(reply({ cost: 0.0043 }))).toBe("12 s · $0.0043");
  expect(shortFacts(reply({ cost: null }))).toBe("12 s");
  expect(shortFacts(reply({ timing: { first_delta_seconds: null, total_seconds: 1, attempts: 3 } }))).toBe(
    "1.0 s · 3 requests",
  );
  expect(shortFacts(replyWith({}))).toBe("");
});

test("an estimate says so, and what was never sent costs nothing", () => {
  const usage = { ...final("p", "").usage, source: "estimated" };
  expect(priceOf(reply({ cost: 0.0043, usage }))).toBe("≈ $0.0043");
  expect(priceOf(reply({ cost: 0.0043, usage, cost_source: "provider" }))).toBe("$0.0043");
  expect(priceOf(reply({ cost: 0, usage: { ...usage, input_tokens: 0, output_tokens: 0 } }))).toBe("");
  expect(lines({ usage }).Out).toBe("≈ 34 tokens");
});

test("a receipt leaves out what is not known", () => {
  expect(lines({})).toEqual({
    Provider: "OpenAI",
    "Asked for": "a-model",
    "Answered by": "a-model",
    "The provider's word": "stop",
    "First word after": "0.3 s",
    "All of it after": "12 s",
    Speed: "3 tokens/s",
    In: "12 tokens",
    Out: "34 tokens",
  });
  const privacy = { training_retention: false, data_retention: "up to 30 days", local: false };
  expect(lines({ privacy })).toMatchObject({ Training: "not used", "Kept by OpenAI": "up to 30 days" });
  expect(receiptOf(replyWith({}))).toHaveLength(1);
});

test("only complete answers can be the best, and only when all have ended", () => {
  const at = (total_seconds: number, cost: number, rest = {}) =>
    reply({ cost, timing: { first_delta_seconds: null, total_seconds, attempts: 1 }, ...rest });
  const [slow, quick, cut] = [at(3, 0.01), at(2, 0.02), at(1, 0, { status: "truncated" })];
  expect(bestOf([slow, quick, cut])).toEqual({ time: quick, price: slow });
  expect(bestOf([slow, quick, replyWith({})])).toEqual({ time: null, price: null });
  expect(bestOf([slow, quick, undefined])).toEqual({ time: null, price: null });
  expect(bestOf([slow, ended(failed("p", "", "server"))])).toEqual({ time: null, price: null });
});
