/** Which conversations there are, and the one that is open.
 *
 * Conversations are plain objects that are changed in place; `changed` says so to who draws them. There is one object
 * of a conversation in memory, so that a stream goes on writing to it while another conversation is looked at.
 */

import { signal } from "@preact/signals";
import { announce } from "./announce";
import * as database from "./database";
import { type Conversation, newConversation, newPanel } from "./model";
import { preferredProvider } from "./providers";

const LAST = "msgmodel.open";

/** All that were saved, latest first. */
export const conversations = signal<Conversation[]>([]);
export const current = signal<Conversation>(newConversation([newPanel("local")]));
/** Goes up whenever a conversation has changed. Every component that draws a part of one reads it: signals spare a
 * component that was given the same objects as before, and conversations are the same objects. */
export const revision = signal(0);
/** A message for the user about the page itself; null when there is none. */
export const notice = signal<string | null>(null);

export function changed(): void {
  revision.value += 1;
}

export function tell(text: string): void {
  notice.value = text;
  announce(text);
}

/** A new conversation asks whom the last one asked. */
export function startConversation(): void {
  const panels = current.value.panels.map((panel) => newPanel(panel.provider, panel.model));
  open(newConversation(panels.length > 0 ? panels : [newPanel(preferredProvider())]));
}

export function open(conversation: Conversation): void {
  current.value = conversation;
  try {
    sessionStorage.setItem(LAST, conversation.id);
  } catch {
    // then a reload opens a new conversation
  }
}

/** Reads what was saved. What is in memory already stays: streams may be writing to it. */
export async function readConversations(): Promise<void> {
  const known = new Map(conversations.value.map((conversation) => [conversation.id, conversation]));
  const found = (await database.allConversations()).map((saved) => known.get(saved.id) ?? saved);
  conversations.value = found.sort((one, other) => other.updatedAt - one.updatedAt);
}

/** Opens what was open in this tab before the reload. */
export function reopen(): void {
  let last: string | null = null;
  try {
    last = sessionStorage.getItem(LAST);
  } catch {
    // as above
  }
  const before = conversations.value.find(({ id }) => id === last);
  open(before ?? newConversation([newPanel(preferredProvider())]));
}

/** Once it is known who can be asked: a conversation that nobody has touched asks the best of them. */
export function choosePreferred(): void {
  const [panel, ...others] = current.value.panels;
  if (panel === undefined || others.length > 0 || panel.turns.length > 0) return;
  panel.provider = preferredProvider();
  changed();
}

/** Conversations in which nothing was said are not worth keeping. */
const worthKeeping = (conversation: Conversation): boolean =>
  conversation.panels.some((panel) => panel.turns.length > 0);

const deleted = new Set<string>();

export async function save(conversation: Conversation): Promise<void> {
  if (!worthKeeping(conversation) || deleted.has(conversation.id)) return;
  if (!conversations.value.includes(conversation)) conversations.value = [conversation, ...conversations.value];
  try {
    await database.putConversation(conversation);
  } catch (error) {
    tell(`The conversation could not be saved: ${(error as Error).message}`);
  }
}

/** Puts it first in the list. */
export function used(conversation: Conversation): void {
  conversation.updatedAt = Date.now();
  conversations.value = [...conversations.value].sort((one, other) => other.updatedAt - one.updatedAt);
}

export function rename(conversation: Conversation, title: string): void {
  conversation.title = title.trim() || conversation.title;
  changed();
  void save(conversation);
}

export async function discard(conversation: Conversation): Promise<void> {
  deleted.add(conversation.id);
  conversations.value = conversations.value.filter((other) => other !== conversation);
  if (current.value === conversation) startConversation();
  await database.removeConversation(conversation);
  announce("Conversation deleted");
}

export async function discardAll(): Promise<void> {
  for (const { id } of conversations.value) deleted.add(id);
  conversations.value = [];
  startConversation();
  await database.removeEverything();
  announce("All conversations deleted");
}
