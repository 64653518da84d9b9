/** What a reply that is still coming waits for, in words. Pure.
 *
 * The server says so with `panel_progress` events; a server without them leaves fewer words, not wrong ones.
 */

import type { ConnectionStatus } from "msgmodel-client";
import { brandOf } from "./brands";
import type { Reply } from "./model";
import { countWords, hasWords, namesOf } from "./reply";
import { texts } from "./texts";

export interface Waiting {
  /** What the edge shows: held up by a provider, or cut off from the server. */
  readonly held: "busy" | "away" | null;
  readonly words: string;
  /** Seconds or percent that stand behind the words. */
  readonly number: string;
  readonly more: string;
  /** How much is done, from 0 to 100; null if that is not known. */
  readonly percent: number | null;
  /** Whether the words are swept by light: the model is at work. */
  readonly works: boolean;
  /** Whether the wait can be cut short. */
  readonly canHurry: boolean;
  /** Whether the line of a step says it already. */
  readonly isInStep?: boolean;
}

const words = texts.live;
const NOTHING: Waiting = { held: null, words: "", number: "", more: "", percent: null, works: false, canHurry: false };
const SILENT_FROM = 20; // seconds without a word that are worth a word

/** Return what a reply waits for. `now`: milliseconds since 1970. Empty words: its text is coming. */
export function waitingOf(reply: Reply, connection: ConnectionStatus, now: number): Waiting {
  if (connection === "reconnecting" || connection === "offline") {
    const offline = connection === "offline" ? `${words.offline} ` : "";
    const more = offline + words.lostMore;
    return { ...NOTHING, held: "away", words: words.lost(countWords(reply.content)), more };
  }
  return waitOfRetry(reply, now) ?? waitOfTool(reply) ?? waitOfProgress(reply) ?? waitOfStart(reply, now) ?? NOTHING;
}

function waitOfRetry(reply: Reply, now: number): Waiting | null {
  const { note } = reply;
  if (note?.reason !== "retry" || !note.until || note.until <= now || hasWords(reply)) return null;
  const seconds = Math.ceil((note.until - now) / 1000);
  const P = brandOf(note.provider);
  const more = words.tries(note.attempt ?? 2, null);
  return { ...NOTHING, held: "busy", words: words.busy(P, seconds), more, canHurry: true };
}

function waitOfTool(reply: Reply): Waiting | null {
  const run = reply.toolRuns?.findLast(({ status }) => status === "started");
  if (run === undefined) return null;
  const { P } = namesOf(reply);
  const isSearch = /search/.test(run.name);
  return { ...NOTHING, words: isSearch ? words.searching(P) : words.running(P, run.name), works: true, isInStep: true };
}

function waitOfProgress(reply: Reply): Waiting | null {
  const { progress } = reply;
  if (!progress) return null;
  const seconds = Math.round(progress.seconds);
  switch (progress.phase) {
    case "queued":
      return { ...NOTHING, words: words.queued, number: words.seconds(seconds), held: "busy" };
    case "connecting":
      return { ...NOTHING, words: words.connecting, number: words.seconds(seconds), works: true };
    case "prompt":
      return waitOfPrompt(progress.percent ?? null, seconds);
    case "silent":
      return seconds < SILENT_FROM ? null : { ...NOTHING, words: words.silent(seconds) };
    default:
      return null;
  }
}

function waitOfPrompt(percent: number | null, seconds: number): Waiting {
  const number = percent === null ? words.seconds(seconds) : words.percent(Math.round(percent));
  return { ...NOTHING, words: words.prompt, number, percent, works: true };
}

function waitOfStart(reply: Reply, now: number): Waiting | null {
  if (hasWords(reply)) return null;
  const from = reply.thought?.from;
  if (reply.reasoning === "") return { ...NOTHING, words: words.connecting, works: true };
  const number = from === undefined ? "" : words.seconds(Math.max(1, Math.round((now - from) / 1000)));
  return { ...NOTHING, words: words.thinking, number, works: true, isInStep: true };
}

/** Return the line that the model's thoughts are at: the end of the newest one. */
export function lastThought(reasoning: string): string {
  const lines = reasoning.trimEnd().split("\n");
  return (lines.at(-1) ?? "")
    .replace(/[*_`#>]+/g, "")
    .trim()
    .slice(-160);
}

/** Return the words for the strip over a column while its reply comes. */
export function stripWords(reply: Reply, waiting: Waiting): { word: string; number: string } {
  if (waiting.words)
    return {
      word: waiting.held === "busy" ? (waiting.words.split(".")[0] ?? "") : waiting.words,
      number: waiting.number,
    };
  const speed = reply.progress?.phase === "text" ? reply.progress.tokens_per_second : undefined;
  return { word: words.writing, number: speed ? words.speed(Math.round(speed)) : "" };
}
