import { expect, test } from "vitest";
import type { Reply } from "../src/model";
import { lastThought, waitingOf } from "../src/waiting";
import { replyWith } from "./support";

const progress = (phase: string, rest = {}) =>
  replyWith({ progress: { event: "panel_progress", panel_id: "p", phase, seconds: 7, ...rest } as never });
const note = (until: number) =>
  ({ reason: "retry", provider: "mistral", model: "", error: "", attempt: 2, until }) as const;
const run = { id: "1", name: "web_search", status: "started", input: null, output: null } as const;

/** What is waited for: the words, the number beside them, and what the edge shows. */
const CASES: readonly (readonly [Reply, string, string, string | null])[] = [
  [replyWith({}), "Connecting", "", null],
  [progress("queued"), "Waiting for a free place", "7 s", "busy"],
  [progress("connecting"), "Connecting", "7 s", null],
  [progress("prompt", { percent: 38.2 }), "Reading the prompt", "38 %", null],
  [progress("prompt"), "Reading the prompt", "7 s", null],
  [progress("silent", { seconds: 21 }), "Nothing for 21 s. The connection is alive.", "", null],
  [replyWith({ reasoning: "Hm.", thought: { from: 0, to: null } }), "Thinking", "10 s", null],
  [replyWith({ note: note(14_000) }), "Mistral is busy. Trying again in 4 s", "", "busy"],
  [replyWith({ note: note(9000) }), "Connecting", "", null],
  [replyWith({ toolRuns: [run] }), "OpenAI is searching the web", "", null],
  [replyWith({ content: "Words come." }), "", "", null],
];

test.each(CASES)("%#", (reply, words, number, held) => {
  expect(waitingOf(reply, "streaming", 10_000)).toMatchObject({ words, number, held });
});

test("without a connection, nothing else counts", () => {
  const reply = replyWith({ content: "One two three" });
  expect(waitingOf(reply, "reconnecting", 0)).toMatchObject({ words: "Connection lost at word 3.", held: "away" });
  expect(waitingOf(reply, "offline", 0).more).toMatch(/^No network\. /);
});

test("the line of the thoughts is the newest one, without marks", () => {
  expect(lastThought("First.\n**Then** the `load` factor\n")).toBe("Then the load factor");
  expect(lastThought("x".repeat(500))).toHaveLength(160);
});
