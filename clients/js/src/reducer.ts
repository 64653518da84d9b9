// Events to what a page shows. Pure and immutable: for useReducer, a store, or a plain variable.

import type {
  BatchFinal,
  PanelEnd,
  PanelEvent,
  PanelRetry,
  PanelSnapshot,
  PanelToolCall,
  PanelToolDelta,
  Source,
  StreamEvent,
  ToolCall,
} from "./events.js";

/** One panel as it stands. */
export interface PanelState {
  readonly id: string;
  /** `waiting`: nothing was said yet, or somebody else is asked now. `final`: `end.status` says whether it is whole. */
  readonly status: "waiting" | "streaming" | "final" | "error";
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  /** Execute only what is `complete`. */
  readonly toolCalls: readonly ToolCall[];
  readonly sources: readonly Source[];
  readonly retries: readonly PanelRetry[];
  /** The terminal event. */
  readonly end: PanelEnd | null;
}

export interface State {
  /** In the order in which they were given, or spoke first. */
  readonly panels: readonly PanelState[];
  /** The summary of several panels. */
  readonly batch: BatchFinal | null;
}

/** Before the first event. `panelIds`: the panels that are there from the start. */
export function initial(panelIds: readonly string[] = []): State {
  return { panels: panelIds.map(empty), batch: null };
}

/** The state after an event. */
export function reduce(state: State, event: StreamEvent): State {
  switch (event.event) {
    case "batch_final":
      return { ...state, batch: event };
    case "stream_snapshot":
      return event.panels.reduce(
        (sofar, panel) => change(sofar, panel.panel_id, (before) => restored(before, panel)),
        { ...state, batch: event.batch ?? state.batch },
      );
    default:
      // An event of a later version may have no panel.
      return event.panel_id == null ? state : change(state, event.panel_id, (panel) => next(panel, event));
  }
}

function next(panel: PanelState, event: PanelEvent): PanelState {
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
      const { url, title, text } = event;
      return { ...panel, status: "streaming", sources: [...panel.sources, { url, title, text }] };
    }
    case "panel_retry": {
      const asked: PanelState = { ...panel, retries: [...panel.retries, event] };
      // Somebody else begins from the start; nothing but reasoning can have been shown.
      return event.reason === "fallback" ? { ...asked, status: "waiting", reasoning: "" } : asked;
    }
    case "panel_final":
    case "panel_error":
      return ended(panel, event);
    default:
      return panel;
  }
}

// The terminal event has everything once more, which helps who came late.
function ended(panel: PanelState, end: PanelEnd): PanelState {
  return {
    ...panel,
    status: end.event === "panel_final" ? "final" : "error",
    text: end.content,
    reasoning: end.reasoning ?? "",
    refusal: end.refusal ?? "",
    toolCalls: end.tool_calls ?? [],
    sources: end.sources ?? [],
    end,
  };
}

function restored(before: PanelState, panel: PanelSnapshot): PanelState {
  const said = panel.content || panel.reasoning || panel.refusal || panel.tool_calls.length || panel.sources.length;
  const now: PanelState = {
    ...before,
    status: said ? "streaming" : "waiting",
    text: panel.content,
    reasoning: panel.reasoning,
    refusal: panel.refusal,
    toolCalls: panel.tool_calls,
    sources: panel.sources,
  };
  return panel.end ? ended(now, panel.end) : now;
}

function withPiece(calls: readonly ToolCall[], { id, name, delta }: PanelToolDelta): readonly ToolCall[] {
  const at = openCall(calls, id);
  const call = calls[at];
  if (!call) return [...calls, { id, name, arguments: delta, arguments_json: null, complete: false }];
  return calls.with(at, { ...call, arguments: call.arguments + delta });
}

function withCall(calls: readonly ToolCall[], event: PanelToolCall): readonly ToolCall[] {
  const { id, name, arguments: text, arguments_json, complete } = event;
  const call: ToolCall = { id, name, arguments: text, arguments_json, complete };
  const at = openCall(calls, id);
  return at < 0 ? [...calls, call] : calls.with(at, call);
}

/** The call that pieces of this id belong to; -1 where it has not begun. */
function openCall(calls: readonly ToolCall[], id: string): number {
  return calls.findIndex((call) => call.id === id && !call.complete);
}

function change(state: State, id: string, how: (panel: PanelState) => PanelState): State {
  const known = state.panels.some((panel) => panel.id === id);
  const panels = known ? state.panels : [...state.panels, empty(id)];
  return { ...state, panels: panels.map((panel) => (panel.id === id ? how(panel) : panel)) };
}

function empty(id: string): PanelState {
  return {
    id,
    status: "waiting",
    text: "",
    reasoning: "",
    refusal: "",
    toolCalls: [],
    sources: [],
    retries: [],
    end: null,
  };
}
