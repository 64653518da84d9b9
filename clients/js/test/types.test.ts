// Checked by the compiler: `event` tells the events apart, and the switch covers all of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode, PanelRequest, StreamEvent } from "../src/index.js";

function shown(event: StreamEvent): string {
  switch (event.event) {
    case "panel_delta":
    case "panel_reasoning":
    case "panel_refusal":
    case "panel_tool_delta":
    case "panel_tool_progress":
      return event.delta;
    case "panel_part":
      return event.data ?? event.url ?? "";
    case "panel_part_delta":
      return event.data;
    case "panel_tool_run":
    case "panel_tool_result":
      return event.name;
    case "panel_round":
      return String(event.round);
    case "panel_tool_call":
      return event.arguments;
    case "panel_source":
      return event.url ?? "";
    case "panel_object":
      return event.open ?? "";
    case "panel_item":
      return String(event.index);
    case "panel_retry":
      return event.reason;
    case "panel_progress":
      return event.phase;
    case "panel_final":
      return event.status;
    case "panel_error": {
      const code: ErrorCode = event.code;
      return code;
    }
    case "batch_final":
    case "stream_snapshot":
      return String(event.panels.length);
    default:
      return event satisfies never;
  }
}

test("types", () => {
  const request: PanelRequest = { prompt: "hi", panels: [{ provider: "openai", max_tokens: 5 }] };
  // @ts-expect-error: there is no such event
  shown({ event: "panel_end" });
  // @ts-expect-error: a panel has a provider
  request.panels = [{ model: "m" }];
  assert.equal(shown({ event: "panel_delta", panel_id: "p", delta: "x" }), "x");
});
