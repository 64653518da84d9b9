// The body of POST /v1/panels.

import type { Json, Message } from "./events.js";

/** Options for all panels, or for one. The keys are those of the server. */
export interface PanelOptions {
  system_instruction?: string;
  max_tokens?: number;
  temperature?: number;
  reasoning?: "none" | "low" | "medium" | "high";
  tools?: Json[];
  tool_choice?: Json;
  /** The format of the reply: a JSON schema, or any JSON. `object` of the last event is the value. */
  output?: { [keyword: string]: Json } | "json";
  /** How often a reply that does not have the format is asked for again. */
  repair?: number;
  /** The tools of the server that the model may call: names, or all of them. */
  run_tools?: string[] | boolean;
  /** In a run of tools: the most requests to the model. */
  max_rounds?: number;
  /** In a run of tools: the most calls. */
  max_calls?: number;
  tool_deltas?: boolean;
  part_deltas?: boolean;
  /** Send a `panel_progress` after each second without another event. They are not kept: a reader that comes back gets
   * only those of its time. */
  progress?: boolean;
  cache_prompt?: boolean | "5m" | "1h";
  /** US dollars. In the request's `options`: of all panels together. */
  max_cost?: number;
  /** Of input and output. In the request's `options`: of all panels together. */
  max_total_tokens?: number;
  continue_truncated?: number;
  resume_interrupted?: boolean;
  /** Providers, or providers with a model. */
  fallbacks?: (string | [provider: string, model: string])[];
  timeout?: number;
  first_token_timeout?: number;
  idle_timeout?: number;
  deadline?: number;
  max_retries?: number;
}

/** The provider to ask in one panel. Its own options take precedence over the common ones. */
export interface PanelQuestion extends PanelOptions {
  provider: string;
  model?: string;
  panel_id?: string;
  prompt?: string;
  messages?: Message[];
}

export interface PanelRequest {
  prompt?: string;
  messages?: Message[];
  /** Without it, the server's default provider answers. */
  panels?: PanelQuestion[];
  options?: PanelOptions;
  files?: { name: string /** Base64. */; data: string }[];
  /** A run of tools that goes on; it stands alone. `state`: `run.state` of its last event. */
  resume?: { state: { [key: string]: Json }; decisions?: { [callId: string]: Json } };
}
