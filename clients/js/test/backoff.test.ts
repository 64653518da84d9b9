import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../src/backoff.js";

test("each wait is at most twice the one before, up to a bound", () => {
  const backoff = new Backoff(
    { retryDelay: 100, maxRetryDelay: 1000, maxRetries: 7 },
    () => 0,
    () => 1,
  );
  const waits = Array.from({ length: 8 }, () => {
    backoff.fail();
    return backoff.delay();
  });
  assert.deepEqual(waits, [100, 200, 400, 800, 1000, 1000, 1000, null]);
});

test("full jitter: any wait between zero and the bound", () => {
  for (const dice of [0, 0.25, 0.999]) {
    const backoff = new Backoff(
      { retryDelay: 100 },
      () => 0,
      () => dice,
    );
    backoff.fail();
    assert.equal(backoff.delay(), 100 * dice);
  }
});

test("success resets the failures", () => {
  const backoff = new Backoff(
    { retryDelay: 100, maxRetries: 1 },
    () => 0,
    () => 1,
  );
  for (let round = 0; round < 50; round++) {
    backoff.fail();
    assert.equal(backoff.delay(), 100);
    backoff.succeed();
    assert.equal(backoff.failed, false);
  }
});

test("the deadline is extended by time without a network", () => {
  let now = 0;
  const backoff = new Backoff(
    { retryDelay: 0, giveUpAfter: 1000 },
    () => now,
    () => 1,
  );
  backoff.fail();
  now = 900;
  assert.equal(backoff.delay(), 0);
  assert.equal(backoff.delay(50), 50);
  assert.equal(backoff.delay(200), null, "the server asks to wait longer than giveUpAfter allows");
  now = 5000;
  assert.equal(backoff.delay(), null);
  backoff.extendDeadline(4100);
  assert.equal(backoff.delay(), 0);
});
