/** What a reply has cost and who gave it: the line under a reply, and its receipt. Pure.
 *
 * Rule: what is not known is left out, and what is estimated says so.
 */

import { brandOf } from "./brands";
import type { Reply } from "./model";
import { countWords, endingOf, formatCount, formatDollars, formatSeconds, namesOf } from "./reply";
import { texts } from "./texts";

const words = texts.receipt;

/** Return the seconds that a reply took; null while it comes. */
export const secondsOf = (reply: Reply): number | null => finite(reply.end?.timing?.total_seconds);

/** Return what a reply has cost in US dollars; null if that is not known, or if nothing was sent. */
export function costOf(reply: Reply): number | null {
  const { usage } = reply.end ?? {};
  // The estimate of a request that was refused: the provider never saw a token.
  if (usage?.source === "estimated" && !usage.input_tokens && !usage.output_tokens) return null;
  return finite(reply.end?.cost);
}

const finite = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

const isEstimated = (reply: Reply): boolean =>
  reply.end?.usage?.source === "estimated" && reply.end.cost_source !== "provider";

/** Return the price in words, with "≈" if it rests on an estimate; empty if it is not known. */
export function priceOf(reply: Reply): string {
  const cost = formatDollars(costOf(reply));
  return cost.startsWith("$") && isEstimated(reply) ? `≈ ${cost}` : cost;
}

/** Return the time and the price of a reply that has ended, such as "9.4 s · $0.0043"; empty if neither is known. */
export function shortFacts(reply: Reply): string {
  const seconds = secondsOf(reply);
  const requests = reply.end?.timing?.attempts ?? 1;
  return [
    seconds === null ? "" : formatSeconds(seconds),
    priceOf(reply),
    requests > 1 ? `${requests} ${words.requests.toLowerCase()}` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

export interface ReceiptLine {
  readonly label: string;
  readonly value: string;
  /** The line that sums up a group. */
  readonly sum?: boolean;
  /** Whether the value is for another program: it can be copied. */
  readonly copy?: boolean;
}

/** Return the groups of lines of a receipt. Lines without a value are left out, and so are empty groups. */
export function receiptOf(reply: Reply): ReceiptLine[][] {
  const groups = [whoLines(reply), timeLines(reply), costLines(reply), dataLines(reply), requestLines(reply)];
  return groups.map((lines) => lines.filter(({ value }) => value !== "")).filter((lines) => lines.length > 0);
}

function whoLines(reply: Reply): ReceiptLine[] {
  const { end } = reply;
  const receipt = end?.receipt;
  const router = receipt?.provider_served ? brandOf(String(receipt.provider_served)) : "";
  return [
    { label: words.by, value: namesOf(reply).P },
    { label: words.askedFor, value: String(receipt?.model_asked || reply.model || "") },
    { label: words.answeredBy, value: String(end?.model ?? "") },
    { label: words.router, value: router },
    { label: words.tier, value: String(receipt?.service_tier ?? "") },
    { label: words.theirWord, value: end?.event === "panel_final" ? String(end.finish_reason ?? "") : "" },
  ];
}

function timeLines(reply: Reply): ReceiptLine[] {
  const { timing, usage } = reply.end ?? {};
  const [first, total] = [finite(timing?.first_delta_seconds), finite(timing?.total_seconds)];
  const spent = first !== null && total !== null ? total - first : 0;
  const tokens = finite(usage?.output_tokens) ?? 0;
  // Below a tenth of a second the reply came in one piece, and the speed says nothing.
  const speed = spent > 0.1 && tokens > 1 ? texts.live.speed(Math.round(tokens / spent)) : "";
  return [
    { label: words.first, value: first === null ? "" : formatSeconds(first) },
    { label: words.all, value: total === null ? "" : formatSeconds(total) },
    { label: words.speed, value: speed },
    { label: texts.live.thoughtSome, value: thoughtSeconds(reply) === null ? "" : `${thoughtSeconds(reply)} s` },
    {
      label: texts.live.pickedUp(reply.pickedUp ?? 0),
      value: reply.pickedUp ? `${countWords(reply.content)} words` : "",
    },
  ].filter(({ label }) => label !== texts.live.pickedUp(0));
}

/** Return how long the model thought, in seconds; null if it did not, or if that is not known. */
export function thoughtSeconds(reply: Reply): number | null {
  const { from, to } = reply.thought ?? {};
  if (typeof from !== "number" || typeof to !== "number") return null;
  return Math.max(1, Math.round((to - from) / 1000));
}

function costLines(reply: Reply): ReceiptLine[] {
  const { usage } = reply.end ?? {};
  const about = usage?.source === "estimated" ? "≈ " : "";
  const tokens = (count: unknown, more: string): string =>
    finite(count) === null ? "" : about + words.tokens(formatCount(finite(count)), more);
  const cached = finite(usage?.cached_tokens) ? words.cached(formatCount(finite(usage?.cached_tokens))) : "";
  const thinking = finite(usage?.reasoning_tokens) ? words.thinking(formatCount(finite(usage?.reasoning_tokens))) : "";
  return [
    { label: words.in, value: tokens(usage?.input_tokens, cached) },
    { label: words.out, value: tokens(usage?.output_tokens, thinking) },
    { label: words.budget, value: formatDollars(reply.asked?.budget ?? null) },
    { label: words.cost, value: priceOf(reply), sum: true },
  ];
}

function dataLines(reply: Reply): ReceiptLine[] {
  const privacy = reply.end?.event === "panel_final" ? reply.end.privacy : undefined;
  if (privacy === undefined || privacy === null) return [];
  if (privacy.local) return [{ label: words.training, value: words.nothingLeft }];
  const training = { true: words.trainingYes, false: words.trainingNo, null: words.trainingUnknown };
  return [
    { label: words.training, value: training[String(privacy.training_retention) as keyof typeof training] ?? "" },
    { label: words.kept(namesOf(reply).P), value: String(privacy.data_retention ?? "") },
  ];
}

const requestLines = (reply: Reply): ReceiptLine[] => [
  { label: words.request, value: String(reply.end?.request_id ?? ""), copy: true },
];

/** Return what is said about the counts; empty if the provider reported them. */
export const noteOnCounts = (reply: Reply): string => (reply.end?.usage?.source === "estimated" ? words.estimated : "");

export interface Best {
  readonly time: Reply | null;
  readonly price: Reply | null;
}

/** Return the fastest and the cheapest of the answers to one question. Only complete ones count, and only if all ended. */
export function bestOf(replies: readonly (Reply | undefined)[]): Best {
  const found = replies.filter((reply) => reply !== undefined);
  const complete = found.filter((reply) => endingOf(reply) === "complete");
  if (found.length < 2 || found.length < replies.length || found.some((reply) => endingOf(reply) === "streaming")) {
    return { time: null, price: null };
  }
  return { time: least(complete, secondsOf), price: least(complete, costOf) };
}

function least(replies: readonly Reply[], measure: (reply: Reply) => number | null): Reply | null {
  const measured = replies.filter((reply) => measure(reply) !== null);
  if (measured.length < 2) return null; // one alone is not the best of anything
  return measured.reduce((best, reply) => ((measure(reply) ?? 0) < (measure(best) ?? 0) ? reply : best));
}
