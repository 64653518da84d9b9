/** Finds conversations by what was said in them, and puts them into groups by day. Pure. */

import type { Conversation } from "./model";
import { everyTurn } from "./tree";

/** A piece of text, and the places in it that were looked for. */
export interface Excerpt {
  readonly text: string;
  /** Starts and ends, in the order of the text; they do not overlap. */
  readonly marks: readonly (readonly [start: number, end: number])[];
}

export interface FoundConversation {
  readonly conversation: Conversation;
  readonly title: Excerpt;
  /** From a question or a reply; null if only the title has what was looked for. */
  readonly excerpt: Excerpt | null;
}

const AROUND = 40; // characters shown before what was found
const SHOWN = 160; // characters of an excerpt

/** The texts of each conversation in one case. A changed conversation is another object, so this is never out of date. */
const folded = new WeakMap<Conversation, readonly { text: string; low: string }[]>();

/** Return a text in which letters that people take for the same are the same. Its length does not change. */
export const foldText = (text: string): string => text.replaceAll("İ", "I").toLowerCase(); // the dotted one alone would become two characters

function textsOf(conversation: Conversation): readonly { text: string; low: string }[] {
  const known = folded.get(conversation);
  if (known) return known;
  const texts = conversation.panels
    .flatMap(({ turns }) => [...everyTurn(turns)])
    .flatMap((turn) => [turn.kind === "typed" ? turn.text : "", ...turn.replies.map(({ content }) => content)])
    .filter(Boolean)
    .map((text) => ({ text, low: foldText(text) }));
  folded.set(conversation, texts);
  return texts;
}

/** Return the conversations that have all words of the query, each in the order in which they were given. */
export function searchConversations(conversations: readonly Conversation[], query: string): FoundConversation[] {
  const words = foldText(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return conversations.flatMap((conversation) => {
    const title = conversation.title || "Untitled";
    const lowTitle = foldText(title);
    const texts = textsOf(conversation);
    const everywhere = words.every((word) => lowTitle.includes(word) || texts.some(({ low }) => low.includes(word)));
    if (!everywhere) return [];
    const best = texts.find(({ low }) => words.every((word) => low.includes(word)));
    const some = best ?? texts.find(({ low }) => words.some((word) => low.includes(word)));
    const excerpt = some ? excerptOf(some.text, some.low, words) : null;
    return [{ conversation, title: { text: title, marks: marksIn(lowTitle, words) }, excerpt }];
  });
}

function excerptOf(text: string, low: string, words: readonly string[]): Excerpt {
  const first = Math.min(...words.map((word) => low.indexOf(word)).filter((place) => place >= 0));
  const start = first <= AROUND ? 0 : Math.max(text.lastIndexOf(" ", first - AROUND / 2) + 1, first - AROUND);
  const piece = text.slice(start, start + SHOWN);
  const shown = `${start > 0 ? "…" : ""}${piece.replace(/\s/g, " ")}${start + SHOWN < text.length ? "…" : ""}`;
  return { text: shown, marks: marksIn(foldText(shown), words) };
}

/** Return where the words stand in a folded text. */
export function marksIn(low: string, words: readonly string[]): [number, number][] {
  const found = words.flatMap((word) => {
    const places: [number, number][] = [];
    for (let place = low.indexOf(word); word && place >= 0; place = low.indexOf(word, place + word.length)) {
      places.push([place, place + word.length]);
    }
    return places;
  });
  const merged: [number, number][] = [];
  for (const [start, end] of found.sort(([one], [other]) => one - other)) {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

/** A group of the list; its name is a key of the texts, or the name of a month. */
export interface Group {
  readonly name: string;
  readonly conversations: readonly Conversation[];
}

/** Return the conversations in groups by when they were used last, the pinned ones first. The order within stays. */
export function groupByDay(
  conversations: readonly Conversation[],
  now: Date,
  names: { pinned: string; today: string; yesterday: string; week: string },
): Group[] {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const daysBack = (days: number): number =>
    new Date(midnight.getFullYear(), midnight.getMonth(), midnight.getDate() - days).getTime();
  const nameFor = ({ pinned, updatedAt }: Conversation): string => {
    if (pinned) return names.pinned;
    if (updatedAt >= midnight.getTime()) return names.today;
    if (updatedAt >= daysBack(1)) return names.yesterday;
    if (updatedAt >= daysBack(7)) return names.week;
    const used = new Date(updatedAt);
    const sameYear = used.getFullYear() === now.getFullYear();
    return used.toLocaleDateString("en", { month: "long", ...(!sameYear && { year: "numeric" }) });
  };
  const groups = new Map<string, Conversation[]>();
  for (const conversation of [
    ...conversations.filter(({ pinned }) => pinned),
    ...conversations.filter(({ pinned }) => !pinned),
  ]) {
    const name = nameFor(conversation);
    groups.set(name, [...(groups.get(name) ?? []), conversation]);
  }
  return [...groups].map(([name, members]) => ({ name, conversations: members }));
}
