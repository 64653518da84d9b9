/** What conversations have cost, and how full a model's context is. Pure. */

import type { Conversation, Panel } from "./model";
import { costOf } from "./receipt";
import { everyTurn, shownReply } from "./tree";

export interface Total {
  readonly replies: number;
  readonly input: number;
  readonly output: number;
  /** US dollars; null if nothing is known. */
  readonly cost: number | null;
  /** Whether some of it was estimated. */
  readonly about: boolean;
}

/** Return what all replies of a conversation have taken, also those that are not shown. */
export function totalOf({ panels }: Conversation): Total {
  const replies = panels.flatMap(({ turns }) => [...everyTurn(turns)].flatMap((turn) => turn.replies));
  const ended = replies.filter(({ end }) => end !== null);
  const costs = ended.map(costOf).filter((cost) => cost !== null);
  const sum = (name: "input_tokens" | "output_tokens"): number =>
    ended.reduce((total, { end }) => total + (Number(end?.usage?.[name]) || 0), 0);
  return {
    replies: ended.length,
    input: sum("input_tokens"),
    output: sum("output_tokens"),
    cost: costs.length > 0 ? add(costs) : null,
    about: ended.some(({ end }) => end?.usage?.source === "estimated" && end.cost_source !== "provider"),
  };
}

const add = (costs: readonly number[]): number => costs.reduce((sum, cost) => sum + cost, 0);

/** Return what the replies of this day have cost in US dollars; null if nothing is known. */
export function costOfDay(conversations: readonly Conversation[], now: Date): number | null {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const costs = conversations
    .filter(({ updatedAt }) => updatedAt >= midnight)
    .flatMap(({ panels }) => panels.flatMap(({ turns }) => [...everyTurn(turns)]))
    .flatMap(({ replies, askedAt }) => replies.filter(({ asked }) => (asked?.at ?? askedAt ?? 0) >= midnight))
    .map(costOf)
    .filter((cost) => cost !== null);
  return costs.length > 0 ? add(costs) : null;
}

/** Return how many tokens of its context the last reply of a panel has filled; null if that is not known. */
export function filledBy({ turns }: Panel): number | null {
  const replies = turns.map(shownReply).filter((reply) => reply !== undefined);
  const usage = replies.findLast(({ end }) => end?.usage?.input_tokens)?.end?.usage;
  return usage?.input_tokens ? usage.input_tokens + (usage.output_tokens ?? 0) : null;
}
