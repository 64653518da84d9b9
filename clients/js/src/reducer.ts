// Events to what a page shows. Pure and immutable: for useReducer, a store, or a plain variable.

import type {
  BatchFinal,
  PanelEnd,
  PanelEvent,
  PanelItem,
  PanelObject,
  PanelPart,
  PanelProgress,
  PanelRetry,
  PanelSnapshot,
  PanelToolCall,
  PanelToolDelta,
  PanelToolProgress,
  PanelToolResult,
  PendingCall,
  Source,
  StreamEvent,
  ToolCall,
  ToolProgress,
  ToolResult,
  ToolRun,
} from "./events.js";

/** The current state of one panel. */
export interface PanelState {
  readonly id: string;
  /** `waiting`: nothing has arrived, or a fallback provider is asked now. `final`: read `end.status` for the verdict. */
  readonly status: "waiting" | "streaming" | "final" | "error";
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  /** Execute only calls that are `complete`. In a run of tools: the calls of all rounds, which the server executes. */
  readonly toolCalls: readonly ToolCall[];
  readonly sources: readonly Source[];
  /** Images, audio and files, each as its latest event. */
  readonly parts: readonly PanelPart[];
  /** The tools that the provider itself ran. */
  readonly toolRuns: readonly ToolRun[];
  /** With `output`: the value so far. Only `end.object` is checked. */
  readonly object?: PanelObject;
  /** With `output` for a list: its elements so far that have the format. */
  readonly items?: readonly PanelItem[];
  /** In a run of tools: the ends of the calls so far. */
  readonly toolResults?: readonly ToolResult[];
  /** In a run of tools: what the functions say that still run. */
  readonly toolProgress?: readonly ToolProgress[];
  /** In a run of tools, from its second request on: the number of the request. */
  readonly round?: number;
  readonly retries: readonly PanelRetry[];
  /** With `progress`: what the panel waits for. It is absent as soon as another event arrives. */
  readonly progress?: PanelProgress;
  /** The terminal event; null while the panel runs. */
  readonly end: PanelEnd | null;
}

/** One call in a run of tools, as a page shows it: what was called, what it says, and how it ended. */
export interface ToolStep {
  readonly id: string;
  readonly name: string;
  /** The call as the model wrote it; null if it was made before the run paused, in an earlier stream. */
  readonly call: ToolCall | null;
  /** What the function has said while it runs. */
  readonly progress: string;
  /** How it ended; null if it has not. After the panel has ended, it is not known whether such a call ran. */
  readonly result: ToolResult | null;
  /** Set if the run waits for a decision on the call, or for its result. */
  readonly pending: PendingCall | null;
}

export interface State {
  /** In the order in which they were passed to `initial`, or else of their first events. */
  readonly panels: readonly PanelState[];
  /** The summary, if there are several panels. */
  readonly batch: BatchFinal | null;
}

/** Return the state before the first event. `panelIds`: the panels to show from the start. */
export function initial(panelIds: readonly string[] = []): State {
  return { panels: panelIds.map(emptyPanel), batch: null };
}

/** Return the state after an event. */
export function reduce(state: State, event: StreamEvent): State {
  switch (event.event) {
    case "batch_final":
      return { ...state, batch: event };
    case "stream_snapshot":
      return event.panels.reduce(
        (current, panel) => changePanel(current, panel.panel_id, (before) => applySnapshot(before, panel)),
        { ...state, batch: event.batch ?? state.batch },
      );
    default:
      // An event of a later version may have no panel.
      return event.panel_id == null ? state : changePanel(state, event.panel_id, (panel) => applyEvent(panel, event));
  }
}

/**
 * Return the calls of a run of tools as steps, in their order.
 *
 * Calls of two rounds may have the same id: their ends follow in the order of the calls.
 */
export function toolSteps(panel: PanelState): readonly ToolStep[] {
  const ends = [...(panel.toolResults ?? [])];
  const pending = panel.end?.run?.pending ?? [];
  const steps = panel.toolCalls.map((call): ToolStep => {
    const at = ends.findIndex(({ id }) => id === call.id);
    const result = at < 0 ? null : (ends.splice(at, 1)[0] ?? null);
    const { id, name } = call;
    return { id, name, call, result, ...whileOpen(panel, id, !result) };
  });
  const earlier = ends.map((result): ToolStep => {
    const { id, name } = result;
    return { id, name, call: null, result, progress: "", pending: null };
  });
  const known = new Set(steps.filter(({ result }) => !result).map(({ id }) => id));
  const waiting = pending
    .filter(({ id }) => !known.has(id))
    .map((one): ToolStep => ({ id: one.id, name: one.name, call: null, result: null, progress: "", pending: one }));
  return [...earlier, ...steps, ...waiting];
}

function whileOpen(panel: PanelState, id: string, isOpen: boolean): Pick<ToolStep, "progress" | "pending"> {
  if (!isOpen) return { progress: "", pending: null };
  return {
    progress: panel.toolProgress?.find((said) => said.id === id)?.text ?? "",
    pending: panel.end?.run?.pending.find((call) => call.id === id) ?? null,
  };
}

function applyEvent(before: PanelState, event: PanelEvent): PanelState {
  if (event.event === "panel_progress") return { ...before, progress: event };
  const panel = before.progress ? withoutProgress(before) : before;
  switch (event.event) {
    case "panel_delta":
      return { ...panel, status: "streaming", text: panel.text + event.delta };
    case "panel_reasoning":
      return { ...panel, status: "streaming", reasoning: panel.reasoning + event.delta };
    case "panel_refusal":
      return { ...panel, status: "streaming", refusal: panel.refusal + event.delta };
    case "panel_tool_delta":
      return { ...panel, status: "streaming", toolCalls: withPiece(panel.toolCalls, event) };
    case "panel_tool_call":
      return { ...panel, status: "streaming", toolCalls: withCall(panel.toolCalls, event) };
    case "panel_source": {
      const { event: _event, panel_id: _panel, ...source } = event;
      return { ...panel, status: "streaming", sources: [...panel.sources, source] };
    }
    case "panel_part":
      return { ...panel, status: "streaming", parts: withLatest(panel.parts, event) };
    case "panel_tool_run": {
      const { event: _event, panel_id: _panel, ...run } = event;
      return { ...panel, status: "streaming", toolRuns: withLatest(panel.toolRuns, run) };
    }
    case "panel_object":
      return { ...panel, status: "streaming", object: event };
    case "panel_item":
      return { ...panel, status: "streaming", items: [...(panel.items ?? []), event] };
    case "panel_tool_progress":
      return { ...panel, toolProgress: withProgress(panel.toolProgress ?? [], event) };
    case "panel_tool_result":
      return applyResult(panel, event);
    case "panel_round":
      return { ...panel, round: event.round };
    case "panel_retry":
      return applyRetry({ ...panel, retries: [...panel.retries, event] }, event);
    case "panel_final":
    case "panel_error":
      return applyEnd(panel, event);
    default:
      return panel;
  }
}

function withoutProgress({ progress: _progress, ...panel }: PanelState): PanelState {
  return panel;
}

function applyRetry(panel: PanelState, event: PanelRetry): PanelState {
  // A fallback provider starts over. It is asked only before any text, so only reasoning can have been shown.
  if (event.reason === "fallback") return { ...panel, status: "waiting", reasoning: "" };
  // After a repair, the next answer begins another value. The text stays, as it does in `content`.
  return event.reason === "repair" ? withoutValue(panel) : panel;
}

function withoutValue({ object: _object, items: _items, ...panel }: PanelState): PanelState {
  return panel;
}

function applyResult(panel: PanelState, event: PanelToolResult): PanelState {
  const { event: _event, panel_id: _panel, ...result } = event;
  return {
    ...withToolProgress(
      panel,
      panel.toolProgress?.filter(({ id }) => id !== event.id),
    ),
    toolResults: [...(panel.toolResults ?? []), result],
  };
}

function withToolProgress({ toolProgress: _old, ...panel }: PanelState, left: PanelState["toolProgress"]): PanelState {
  return left?.length ? { ...panel, toolProgress: left } : panel;
}

function withoutRun({
  toolResults: _results,
  toolProgress: _progress,
  round: _round,
  ...panel
}: PanelState): PanelState {
  return panel;
}

// The terminal event repeats everything, so a reader that joined late has all of it too; but for the calls of a run,
// of which it has those of the last round.
function applyEnd(panel: PanelState, end: PanelEnd): PanelState {
  const { run } = end;
  return {
    ...(run ? withToolProgress(panel, []) : panel),
    ...(run?.calls.length ? { toolResults: run.calls } : {}),
    status: end.event === "panel_final" ? "final" : "error",
    text: end.content,
    reasoning: end.reasoning ?? "",
    refusal: end.refusal ?? "",
    toolCalls: run || panel.toolResults ? panel.toolCalls : (end.tool_calls ?? []),
    sources: end.sources ?? [],
    toolRuns: end.tool_runs ?? [],
    end,
  };
}

function applySnapshot(before: PanelState, panel: PanelSnapshot): PanelState {
  const started =
    panel.content ||
    panel.reasoning ||
    panel.refusal ||
    panel.tool_calls.length ||
    panel.sources.length ||
    panel.parts.length ||
    panel.tool_runs.length ||
    panel.tool_results?.length;
  const restored: PanelState = {
    ...withoutProgress(withoutValue(withoutRun(before))),
    status: started ? "streaming" : "waiting",
    text: panel.content,
    reasoning: panel.reasoning,
    refusal: panel.refusal,
    toolCalls: panel.tool_calls,
    sources: panel.sources,
    parts: panel.parts,
    toolRuns: panel.tool_runs,
    ...(panel.object ? { object: panel.object } : {}),
    ...(panel.items ? { items: panel.items } : {}),
    ...(panel.tool_results ? { toolResults: panel.tool_results } : {}),
    ...(panel.tool_progress ? { toolProgress: panel.tool_progress } : {}),
    ...(panel.round ? { round: panel.round } : {}),
  };
  return panel.end ? applyEnd(restored, panel.end) : restored;
}

function withProgress(said: readonly ToolProgress[], event: PanelToolProgress): readonly ToolProgress[] {
  const { id, name, delta } = event;
  const text = (said.find((one) => one.id === id)?.text ?? "") + delta;
  return withLatest(said, { id, name, text });
}

function withPiece(calls: readonly ToolCall[], { id, name, delta }: PanelToolDelta): readonly ToolCall[] {
  const at = findOpenCall(calls, id);
  const call = calls[at];
  if (!call) return [...calls, { id, name, arguments: delta, arguments_json: null, complete: false }];
  return calls.with(at, { ...call, arguments: call.arguments + delta });
}

function withCall(calls: readonly ToolCall[], event: PanelToolCall): readonly ToolCall[] {
  const { event: _event, panel_id: _panel, ...call } = event;
  const { id } = call;
  const at = findOpenCall(calls, id);
  return at < 0 ? [...calls, call] : calls.with(at, call);
}

/** Return the items with this one, in the place of an earlier one with its id. */
function withLatest<Item extends { id: string }>(items: readonly Item[], item: Item): readonly Item[] {
  const at = items.findIndex(({ id }) => id === item.id);
  return at < 0 ? [...items, item] : items.with(at, item);
}

/** Return the index of the call that pieces with this id belong to; -1 if it has not begun. */
function findOpenCall(calls: readonly ToolCall[], id: string): number {
  return calls.findIndex((call) => call.id === id && !call.complete);
}

function changePanel(state: State, id: string, change: (panel: PanelState) => PanelState): State {
  const known = state.panels.some((panel) => panel.id === id);
  const panels = known ? state.panels : [...state.panels, emptyPanel(id)];
  return { ...state, panels: panels.map((panel) => (panel.id === id ? change(panel) : panel)) };
}

function emptyPanel(id: string): PanelState {
  return {
    id,
    status: "waiting",
    text: "",
    reasoning: "",
    refusal: "",
    toolCalls: [],
    sources: [],
    parts: [],
    toolRuns: [],
    retries: [],
    end: null,
  };
}
