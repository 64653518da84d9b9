/** A reply in words for the page: how it ended, why, what can be done, what it cost. Pure. */

import { type PanelError, type PanelState, toolSteps } from "msgmodel-client";
import { brandOf, shortModel } from "./brands";
import type { Reply, RetryNote, ToolCall } from "./model";
import { type Said, texts } from "./texts";

/** Each has a shape of its own, on the edge of the reply and small; see style/edge.css. */
export type Ending = keyof typeof texts.ending;

/** What the user can do about an ending. */
export type Act =
  | "continue"
  | "raise"
  | "budgetMore"
  | "budgetChange"
  | "resume"
  | "again"
  | "tryAgain"
  | "other"
  | "choose"
  | "larger"
  | "edit"
  | "editMessage"
  | "settings";

/** Return the reply with what has arrived. `now`: milliseconds since 1970. */
export function copyState(reply: Reply, state: PanelState, now = Date.now()): Reply {
  const { progress: _earlier, ...before } = reply;
  return {
    ...before,
    content: state.text,
    reasoning: state.reasoning,
    refusal: state.refusal,
    toolCalls: state.toolCalls,
    sources: state.sources,
    parts: state.parts,
    toolRuns: state.toolRuns,
    ...(isRun(state) && { steps: toolSteps(state) }),
    end: state.end,
    note: noteOf(reply, state, now),
    ...thoughtOf(reply, state, now),
    ...(state.progress && state.end === null && { progress: state.progress }),
  };
}

/** Whether the server runs the calls itself, and does not leave them to the page. */
const isRun = ({ toolResults, toolProgress, round, end }: PanelState): boolean =>
  toolResults !== undefined || toolProgress !== undefined || round !== undefined || end?.run !== undefined;

/** Return the calls that wait for somebody else than the server. */
export const openCalls = ({ toolCalls, steps }: Reply): readonly ToolCall[] => (steps ? [] : toolCalls);

function noteOf(reply: Reply, state: PanelState, now: number): RetryNote | null {
  const retry = state.retries.at(-1);
  if (retry === undefined) return reply.note;
  const count = state.retries.length;
  if (reply.note?.count === count) return reply.note;
  const { reason, provider, model, error, attempt, seconds_to_wait: seconds } = retry;
  return {
    reason,
    provider,
    model,
    error,
    count,
    attempt: attempt ?? null,
    until: seconds ? now + seconds * 1000 : null,
  };
}

/** When the model began to think, and when it had thought enough: the first word, or the end. */
function thoughtOf(reply: Reply, state: PanelState, now: number): Pick<Reply, "thought"> {
  if (!state.reasoning) return {};
  const from = reply.thought?.from ?? now;
  const isOver = state.text !== "" || state.toolCalls.length > 0 || state.end !== null;
  return { thought: { from, to: isOver ? (reply.thought?.to ?? now) : null } };
}

/** Whether anything came that can be read or run. */
export const hasWords = (reply: Reply): boolean =>
  reply.content !== "" || reply.refusal !== "" || reply.toolCalls.length > 0 || (reply.parts?.length ?? 0) > 0;

export const countWords = (text: string): number => text.match(/\S+/g)?.length ?? 0;

export function endingOf(reply: Reply): Ending {
  const broken = hasWords(reply) ? "broken" : "failed";
  if (reply.lost !== null) return reply.lost.code === "cancelled" ? "stopped" : broken;
  if (reply.end === null) return "streaming";
  if (reply.end.event === "panel_error") return reply.end.code === "cancelled" ? "stopped" : broken;
  const { refusal, empty } = reply.end;
  const status = reply.end.truncated_by === "budget" ? "budget" : reply.end.status;
  switch (status as string) {
    case "complete":
      return empty ? "empty" : "complete";
    case "filtered":
      return refusal ? "refused" : "filtered";
    case "tool_calls":
    case "waiting":
      return "waiting";
    case "truncated":
    case "budget":
    case "paused":
      return status as Ending;
    default:
      return "unknown";
  }
}

/** The names of who was asked, or who answered. */
export function namesOf(reply: Reply): { P: string; M: string } {
  const P = brandOf(reply.end?.provider || reply.provider);
  return { P, M: shortModel(reply.end?.model || reply.model) || P };
}

/** Return the calls of a reply that wait for the user's approval. */
export const approvalsOf = (reply: Reply): readonly ToolCall[] =>
  reply.toolCalls.filter((call) => call.kind === "approval" && call.complete);

/** Return the word for an ending that is not complete; empty if the reply is complete or still comes. */
export function badgeWords(reply: Reply): string {
  const ending = endingOf(reply);
  return ending === "complete" || ending === "streaming" ? "" : texts.ending[ending];
}

export interface Verdict {
  readonly ending: Ending;
  /** Null if "Complete" says all. */
  readonly said: Said | null;
  /** The first one is what most people want. */
  readonly acts: readonly Act[];
}

/** Return what is said at the end of a reply that has ended, and what can be done. */
export function verdictOf(reply: Reply): Verdict {
  const ending = endingOf(reply);
  const [said, acts] = ENDINGS[ending](reply);
  return { ending, said, acts };
}

const words = texts.verdict;
const keepAsking: readonly Act[] = ["continue", "again"];

/** For each ending: the verdict, and what can be done. */
const ENDINGS: Readonly<Record<Ending, (reply: Reply) => [Said | null, readonly Act[]]>> = {
  streaming: () => [null, []],
  complete: () => [null, []],
  truncated(reply) {
    const end = finalOf(reply);
    if (end?.truncated_in === "reasoning") return [words.truncatedThinking, ["continue", "raise"]];
    if (end?.truncated_in === "tool_call") return [words.truncatedCall, ["continue"]];
    return [words.truncated(formatCount(limitOf(reply))), ["continue", "raise"]];
  },
  budget(reply) {
    const { budget } = budgetOf(reply);
    return [
      words.budget(formatDollars(budget), formatDollars(reply.end?.cost ?? null)),
      ["budgetMore", "budgetChange"],
    ];
  },
  broken(reply) {
    const { title } = failureOf(reply) ?? { title: "" };
    const code = codeOf(reply);
    const why = code === "interrupted" || code === "network" ? words.lost(namesOf(reply).P) : title;
    return [words.broken(countWords(reply.content), why), reply.content ? ["resume", "again"] : ["again"]];
  },
  failed(reply) {
    const failure = failureOf(reply);
    const again: Act = failure?.act === "tryAgain" ? "other" : "tryAgain";
    return [words.failed(isFree(reply)), failure ? [failure.act, again] : ["tryAgain"]];
  },
  refused: () => [words.refused, ["edit", "again", "other"]],
  filtered: (reply) => [words.filtered(namesOf(reply).P, reasonOfFilter(reply)), ["edit", "again", "other"]],
  stopped: (reply) => [words.stopped, reply.content ? keepAsking : ["again"]],
  waiting(reply) {
    const approvals = approvalsOf(reply);
    if (approvals.length > 0) return [words.approval, []];
    const pending = reply.steps?.find((step) => step.pending) ?? reply.toolCalls.find(({ complete }) => complete);
    return [words.result(pending?.name ?? texts.call.unnamed), []];
  },
  paused: (reply) => [words.paused(namesOf(reply).P), ["continue"]],
  unknown: (reply) => [words.unknown(namesOf(reply).P, finalOf(reply)?.finish_reason ?? ""), keepAsking],
  empty(reply) {
    const thought = reply.end?.usage?.reasoning_tokens ?? 0;
    return [words.empty(thought ? formatCount(thought) : ""), ["again", "other"]];
  },
};

const finalOf = (reply: Reply) => (reply.end?.event === "panel_final" ? reply.end : null);
const errorEndOf = (reply: Reply): PanelError | null => (reply.end?.event === "panel_error" ? reply.end : null);

/** Return the limit of tokens that was set, if the output has reached it. */
function limitOf(reply: Reply): number | null {
  const limit = reply.asked?.maxTokens ?? null;
  const used = reply.end?.usage?.output_tokens ?? null;
  return limit !== null && used !== null && used >= limit * 0.9 ? limit : null;
}

/** The server reports a budget beside the status; a version without budgets has none of it. */
export function budgetOf(reply: Reply): { budget: number | null } {
  const { budget } = (reply.end ?? {}) as { budget?: unknown };
  return { budget: typeof budget === "number" ? budget : (reply.asked?.budget ?? null) };
}

function reasonOfFilter(reply: Reply): string {
  const message = reply.end?.details?.finish_message;
  return typeof message === "string" && message.length < 200 ? message : "";
}

/** Whether it is certain that a failure has cost nothing: no request was answered, and no token counted. */
function isFree(reply: Reply): boolean {
  const end = errorEndOf(reply);
  if (end === null) return false;
  const usage = end.usage ?? {};
  return !end.cost && !usage.output_tokens && UNCHARGED.has(end.code);
}

const UNCHARGED = new Set(["authentication", "permission", "not_found", "rate_limit", "quota", "overloaded"]);

function codeOf(reply: Reply): string {
  return String(reply.lost?.code ?? errorEndOf(reply)?.code ?? "");
}

export interface Failure {
  readonly code: string;
  readonly title: string;
  readonly sentence: string;
  readonly act: Act;
  /** Seconds that the provider, or the server of this page, asks to wait; null if it names none. */
  readonly wait: number | null;
  /** For engineers: pairs of a label and a value. */
  readonly details: readonly (readonly [string, string])[];
}

const ACTS: Readonly<Record<string, Act>> = {
  authentication: "other",
  permission: "other",
  quota: "other",
  not_found: "choose",
  context_length: "larger",
  too_large: "editMessage",
  page_too_large: "editMessage",
  content_policy: "edit",
  invalid_request: "settings",
};

type FailureName = keyof typeof texts.failure;

/** Return which failure it is: errors of the way to this server have their own words. */
function failureName(reply: Reply): FailureName {
  const code = codeOf(reply);
  const lost: Readonly<Record<string, FailureName>> = {
    network: "page_network",
    rate_limit: "page_busy",
    overloaded: "page_busy",
    too_large: "page_too_large",
  };
  if (reply.lost !== null && Object.hasOwn(lost, code)) return lost[code] ?? "other";
  return Object.hasOwn(texts.failure, code) ? (code as FailureName) : "other";
}

/** Return what went wrong in plain words; null if nothing did, or if the user stopped it. */
export function failureOf(reply: Reply): Failure | null {
  const end = errorEndOf(reply);
  const code = codeOf(reply);
  if ((reply.lost === null && end === null) || code === "cancelled") return null;
  const { P, M } = namesOf(reply);
  const name = failureName(reply);
  const { title, sentence } = texts.failure[name];
  const wait = reply.lost ? (reply.lost.wait ?? null) : (end?.retry_after ?? null);
  const attempts = end?.timing?.attempts ?? 1;
  const more = [
    typeof sentence === "function" ? sentence(M) : sentence,
    wait === null ? "" : texts.failureMore.asksToWait(reply.lost ? "It" : P, Math.ceil(wait)),
    attempts > 1 ? texts.failureMore.tried(attempts) : "",
    name === "network" && isOwnServer(reply) ? texts.failureMore.localServer(P) : "",
  ];
  const message = String(reply.lost?.message ?? end?.error ?? "");
  return {
    code,
    title: title(P, M),
    sentence: more.filter(Boolean).join(" "),
    act: ACTS[name] ?? "tryAgain",
    wait,
    details: [
      [texts.failureMore.what, [code, end?.status_code].filter(Boolean).join(", ")],
      [texts.failureMore.request, end?.request_id ?? ""],
      [texts.failureMore.tries, attempts > 1 ? String(attempts) : ""],
      [texts.failureMore.theirWords, message],
    ].filter((pair): pair is [string, string] => Boolean(pair[1])),
  };
}

const isOwnServer = (reply: Reply): boolean =>
  ["ollama", "llamacpp", "lmstudio", "vllm", "sglang"].includes(reply.provider);

export interface ShownWarning {
  readonly code: string;
  readonly said: Said;
  /** The server's own words; for engineers. */
  readonly message: string;
}

/** Return what one must know before reading: what was changed on the way. An imported reply may hold anything. */
export function warningsOf(reply: Reply): ShownWarning[] {
  const found: unknown = reply.end?.warnings;
  if (!Array.isArray(found)) return [];
  return found.flatMap((warning) => {
    const code = String(warning?.code ?? "");
    const message = String(warning?.message ?? "");
    return code || message ? [{ code, message, said: warningWords(code, message, reply) }] : [];
  });
}

function warningWords(code: string, message: string, reply: Reply): Said {
  const { P, M } = namesOf(reply);
  const receipt = reply.end?.receipt;
  const table = texts.warning;
  switch (code) {
    case "model_substituted":
      return table.model_substituted(receipt?.model_served || M, receipt?.model_asked || reply.model, P);
    case "tier_changed":
      return table.tier_changed(receipt?.service_tier ?? "", receipt?.service_tier_asked ?? "");
    case "context_cut":
    case "context_edited":
    case "reasoning_hidden":
    case "cached":
      return table[code](P);
    case "parameter_ignored":
      return table.parameter_ignored(M);
    case "choice_dropped":
    case "count_disagrees":
    case "part_dropped":
    case "text_replaced":
      return table[code];
    default:
      return { ...table.other, rest: /[_[\]]|HTTP/.test(message) ? "" : message };
  }
}

/** Return the kinds of what came and can't be shown; empty if all is shown. */
export function untoldOf(reply: Reply): string {
  const untold: unknown = reply.end?.untold;
  return Array.isArray(untold) && untold.length > 0 ? untold.map(String).join(", ") : "";
}

/** Return what a screen reader says when the reply has ended. */
export function spokenEnding(reply: Reply): string {
  const failure = endingOf(reply) === "failed" ? failureOf(reply)?.title : "";
  const ending = texts.ending[endingOf(reply)];
  return texts.spoken.ended(namesOf(reply).M, failure ? `${ending}. ${failure}` : ending);
}

export const formatSeconds = (value: number): string => `${value < 9.95 ? value.toFixed(1) : Math.round(value)} s`;

export const formatCount = (value: number | null): string => (value === null ? "" : value.toLocaleString("en"));

/** Return a price with as many digits as are meaningful; empty if it is not known. */
export function formatDollars(value: number | null): string {
  if (value === null) return "";
  if (value === 0) return texts.receipt.free;
  if (value < 0.0001) return texts.receipt.tiny;
  if (value < 0.01) return `$${value.toFixed(4)}`;
  return `$${value < 1 ? value.toFixed(3).replace(/0$/, "") : value.toFixed(2)}`;
}
