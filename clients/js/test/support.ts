// Events and helpers that the tests of streams share.

import assert from "node:assert/strict";
import type { BatchFinal, PanelEnd, PanelStream, StreamError, StreamEvent, StreamOptions } from "../src/index.js";

/** Options with waits that cost a test no time. */
export const QUICK: StreamOptions = { retryDelay: 1, maxRetryDelay: 2, maxRetries: 5 };

export const delta = (text: string, panel_id = "p"): StreamEvent => ({ event: "panel_delta", panel_id, delta: text });
export const final = (content: string, panel_id = "p") => ({ event: "panel_final", panel_id, content }) as PanelEnd;
export const batch = { event: "batch_final", panel_id: null } as BatchFinal;

export const PIECES = ["Grüße", " 🦊", " 漢字,\u2028", " end."];
export const TEXT = PIECES.join("");
export const EVENTS: StreamEvent[] = [...PIECES.map((piece) => delta(piece)), final(TEXT)];

export async function collect(stream: PanelStream): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  assert.equal((await stream.next()).done, true, "a stream ends once");
  return events;
}

/** Return the events before the error, and the error. */
export async function collectUntilError(stream: PanelStream): Promise<{ events: StreamEvent[]; error: StreamError }> {
  const events: StreamEvent[] = [];
  try {
    for await (const event of stream) events.push(event);
  } catch (error) {
    assert.equal((await stream.next()).done, true, "a stream ends once");
    return { events, error: error as StreamError };
  }
  return assert.fail("the stream ended as if it were complete");
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Run `work` for every item, at most 16 at a time. */
export async function inParallel<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
