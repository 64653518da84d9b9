import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  initial,
  type PanelEnd,
  reduce,
  type State,
  type StreamEvent,
  type StreamSnapshot,
  type ToolStep,
  toolSteps,
} from "../src/index.js";

const GOLDENS = new URL("../../../../tests/goldens/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, GOLDENS), "utf-8");
const names = readdirSync(GOLDENS).filter((name) => name.endsWith(".jsonl"));
const events = (name: string): StreamEvent[] =>
  read(name)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const all = (found: StreamEvent[], state = initial()) =>
  found.reduce((current, event) => reduce(current, event), state);
const isEnd = (event: StreamEvent): event is PanelEnd => event.event === "panel_final" || event.event === "panel_error";

/** Return what the server sends to a reader without a position. */
function snapshot(state: State): StreamSnapshot {
  const panels = state.panels.map((panel) => ({
    panel_id: panel.id,
    content: panel.text,
    reasoning: panel.reasoning,
    refusal: panel.refusal,
    tool_calls: [...panel.toolCalls],
    sources: [...panel.sources],
    parts: [...panel.parts],
    tool_runs: [...panel.toolRuns],
    provider: panel.end?.provider ?? null,
    model: panel.end?.model ?? null,
    end: panel.end,
    ...(panel.object && { object: panel.object }),
    ...(panel.items && { items: [...panel.items] }),
    ...(panel.toolResults && { tool_results: [...panel.toolResults] }),
    ...(panel.toolProgress && { tool_progress: [...panel.toolProgress] }),
    ...(panel.round && { round: panel.round }),
  }));
  return { event: "stream_snapshot", panel_id: null, panels, batch: state.batch };
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

test("there are goldens", () => assert.ok(names.length >= 10));

for (const name of names) {
  const expected = JSON.parse(read(name.replace(".jsonl", ".state.json")));

  test(`${name}: the whole state`, () => assert.deepEqual(all(events(name)), expected));

  test(`${name}: the same before the terminal events`, () => {
    const shown = all(events(name).filter((event) => !isEnd(event) && event.event !== "batch_final"));
    for (const panel of shown.panels) {
      const { status, end, ...content } = expected.panels.find((other: { id: string }) => other.id === panel.id);
      assert.deepEqual({ ...panel, status, end }, { ...content, status, end });
    }
  });

  test(`${name}: the same from a snapshot anywhere, and no state is changed in place`, () => {
    const found = frozen(events(name));
    for (let cut = 0; cut <= found.length; cut++) {
      const before = frozen(all(found.slice(0, cut)));
      const again = reduce(initial(before.panels.map((panel) => panel.id)), snapshot(before));
      const after = all(found.slice(cut), frozen(again));
      const retries = (state: State) => state.panels.map((panel) => ({ ...panel, retries: [] }));
      assert.deepEqual(retries(after), retries(expected));
      assert.deepEqual(all(found.slice(cut), reduce(before, snapshot(before))).panels, expected.panels);
    }
  });
}

test("panels wait from the start, in the order that `initial` got", () => {
  const state = reduce(initial(["a", "b"]), { event: "panel_delta", panel_id: "b", delta: "x" });
  assert.deepEqual(
    state.panels.map(({ id, status, text }) => [id, status, text]),
    [
      ["a", "waiting", ""],
      ["b", "streaming", "x"],
    ],
  );
  assert.equal(reduce(state, { event: "panel_delta", panel_id: "b", delta: "y" }).panels[0], state.panels[0]);
});

test("pieces of simultaneous calls are kept apart", () => {
  const piece = (id: string, delta: string): StreamEvent => ({
    event: "panel_tool_delta",
    panel_id: "p",
    id,
    name: "f",
    delta,
  });
  const state = all([piece("1", "{"), piece("2", "["), piece("1", "}"), piece("2", "]")]);
  assert.deepEqual(
    state.panels[0]?.toolCalls.map((call) => [call.arguments, call.complete]),
    [
      ["{}", false],
      ["[]", false],
    ],
  );
});

const words = (state: State) => state.panels.flatMap(toolSteps).map(stepWords);
const stepWords = ({ name, call, progress, result, pending }: ToolStep) =>
  `${name} ${call?.arguments ?? "-"} ${progress.length} ${result?.status ?? pending?.reason ?? "runs"}`;

test("the steps of a run: what runs, says, ended and waits", () => {
  const found = events("run_of_tools.jsonl");
  const shown = found.map((_, at) => words(all(found.slice(0, at + 1))).join(", "));
  assert.deepEqual(
    shown.filter((each, at) => each !== shown[at - 1]),
    [
      "",
      'copy {"folder": "docs"} 0 runs',
      'copy {"folder": "docs"} 14 runs',
      'copy {"folder": "docs"} 28 runs',
      'copy {"folder": "docs"} 0 done',
      'copy {"folder": "docs"} 0 done, price {"fruit": "pear"} 0 runs',
      'copy {"folder": "docs"} 0 done, price {"fruit": "pear"} 0 failed',
      'copy {"folder": "docs"} 0 done, price {"fruit": "pear"} 0 failed, delete {"file": "a"} 0 runs',
      'copy {"folder": "docs"} 0 done, price {"fruit": "pear"} 0 failed, delete {"file": "a"} 0 approval',
    ],
  );
});

test("a run that continues shows the calls that it made before, and what waits still", () => {
  const end = events("run_of_tools.jsonl").find(isEnd);
  assert.ok(end);
  assert.deepEqual(words(all([end])), ["copy - 0 done", "price - 0 failed", "delete - 0 approval"]);
});

test("two rounds with calls of one id are two steps", () => {
  const call = { panel_id: "p", id: "1", name: "f", arguments: "{}", arguments_json: {}, complete: true };
  const result = { panel_id: "p", id: "1", name: "f", result: 1, error: null, seconds: 0 };
  const state = all([
    { event: "panel_tool_call", ...call },
    { event: "panel_tool_result", ...result, status: "done" },
    { event: "panel_round", panel_id: "p", round: 2 },
    { event: "panel_tool_call", ...call },
    { event: "panel_tool_progress", panel_id: "p", id: "1", name: "f", delta: "half" },
  ]);
  assert.deepEqual(words(state), ["f {} 0 done", "f {} 4 runs"]);
  const after = reduce(state, { event: "panel_tool_result", ...result, status: "unknown" });
  assert.deepEqual(words(after), ["f {} 0 done", "f {} 0 unknown"]);
  assert.equal(after.panels[0]?.toolProgress, undefined);
});

test("a run whose stream broke keeps its calls, and does not say how an open one ended", () => {
  const { run: _run, tool_calls: _calls, ...end } = events("run_of_tools.jsonl").find(isEnd) as PanelEnd;
  const cut = events("run_of_tools.jsonl").filter((event) => !isEnd(event));
  assert.deepEqual(
    words(all([...cut, end as PanelEnd])).map((each) => each.split(" ").at(-1)),
    ["done", "failed", "runs"],
  );
});

test("events of a later version change nothing", () => {
  const state = all(events("complete.jsonl"));
  for (const panel_id of [null, undefined]) {
    assert.equal(reduce(state, { event: "stream_news", panel_id } as unknown as StreamEvent), state);
  }
  assert.deepEqual(reduce(state, { event: "panel_news", panel_id: "panel" } as unknown as StreamEvent), state);
});

test("a hundred thousand deltas take under two seconds", () => {
  const begin = performance.now();
  let state = initial();
  for (let n = 0; n < 100_000; n++) state = reduce(state, { event: "panel_delta", panel_id: "p", delta: "word " });
  assert.equal(state.panels[0]?.text.length, 500_000);
  assert.ok(performance.now() - begin < 2000);
});

test("progress is the latest, and gone with the next event", () => {
  const waits = (seconds: number): StreamEvent => ({
    event: "panel_progress",
    panel_id: "p",
    phase: "prompt",
    seconds,
  });
  const before = all([waits(1), waits(2)]);
  assert.deepEqual([before.panels[0]?.progress, before.panels[0]?.status], [waits(2), "waiting"]);
  const after = all([{ event: "panel_delta", panel_id: "p", delta: "x" }], frozen(before));
  assert.deepEqual(after, all([{ event: "panel_delta", panel_id: "p", delta: "x" }]));
  assert.ok(!("progress" in (reduce(before, snapshot(after)).panels[0] ?? {})));
});
