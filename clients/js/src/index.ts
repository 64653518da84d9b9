export { StreamError, type ErrorDetails } from "./errors.js";
export type * from "./events.js";
export type { Limits } from "./backoff.js";
export type { ConnectionStatus, ResumeOptions, StreamOptions } from "./options.js";
export { initial, reduce, type PanelState, type State } from "./reducer.js";
export type { PanelOptions, PanelQuestion, PanelRequest } from "./request.js";
export { Decoder, type Frame } from "./sse.js";
export { PanelStream, resumeStream, stopStream, streamPanels } from "./stream.js";
