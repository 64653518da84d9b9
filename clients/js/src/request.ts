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
  tool_deltas?: boolean;
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
}
