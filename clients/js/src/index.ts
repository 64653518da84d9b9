export type { Limits } from "./backoff.js";
export { type ErrorDetails, StreamError } from "./errors.js";
export type * from "./events.js";
export type { ConnectionStatus, ResumeOptions, StreamOptions } from "./options.js";
export { initial, type PanelState, reduce, type State, type ToolStep, toolSteps } from "./reducer.js";
export type { PanelOptions, PanelQuestion, PanelRequest } from "./request.js";
export { Decoder, type Frame } from "./sse.js";
export { PanelStream, resumeStream, stopStream, streamPanels } from "./stream.js";
