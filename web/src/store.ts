/** Which conversations exist, and which one is open.
 *
 * Rule: `changeConversation` is the only way to change one. It puts a new object into a signal, which draws every
 * component that has read the old one, and saves it.
 */

import { batch, computed, signal } from "@preact/signals";
import { announce } from "./announce";
import * as database from "./database";
import { type Conversation, hasQuestions, newConversation, newPanel, type Panel } from "./model";
import { preferredProvider } from "./providers";

const LAST_OPEN_KEY = "msgmodel.open";

/** The conversations that have a question, most recently used first. */
export const conversations = signal<readonly Conversation[]>([]);
/** The one conversation without a question yet. */
const blank = signal<Conversation>(newConversation([newPanel("local")]));
const openId = signal(blank.value.id);

/** The conversation that is open. */
export const current = computed(() => findConversation(openId.value) ?? blank.value);

/** A message for the user about the page itself; null if there is none. */
export const notice = signal<string | null>(null);

export function notify(text: string): void {
  notice.value = text;
  announce(text);
}

export function findConversation(id: string): Conversation | undefined {
  return (
    conversations.value.find((conversation) => conversation.id === id) ??
    (blank.value.id === id ? blank.value : undefined)
  );
}

/** Replace a conversation by what `change` makes of it, and save it. One that was deleted meanwhile stays deleted. */
export function changeConversation(id: string, change: (before: Conversation) => Conversation): void {
  const before = findConversation(id);
  if (before === undefined) return;
  const after = change(before);
  const listed = conversations.value.some((conversation) => conversation.id === id);
  if (!listed && !hasQuestions(after)) {
    blank.value = after;
    return;
  }
  batch(() => {
    conversations.value = byLastUse([after, ...conversations.value.filter((other) => other.id !== id)]);
    if (blank.value.id === id) blank.value = newConversation([newPanel(preferredProvider())]);
  });
  void save(after);
}

/** Return the conversation as one that was used just now, which puts it first in the list. */
export const touch = (conversation: Conversation): Conversation => ({ ...conversation, updatedAt: Date.now() });

const byLastUse = (found: Conversation[]): Conversation[] =>
  found.sort((one, other) => other.updatedAt - one.updatedAt);

async function save(conversation: Conversation): Promise<void> {
  try {
    await database.putConversation(conversation);
  } catch (error) {
    notify(`The conversation could not be saved: ${(error as Error).message}`);
  }
}

/** Open a new conversation with the providers and models of the open one. */
export function startConversation(): void {
  openBlank(current.value.panels.map((panel) => newPanel(panel.provider, panel.model)));
}

function openBlank(panels: readonly Panel[]): void {
  blank.value = newConversation(panels);
  openConversation(blank.value.id);
}

export function openConversation(id: string): void {
  openId.value = id;
  try {
    sessionStorage.setItem(LAST_OPEN_KEY, id);
  } catch {
    // without storage, a reload opens a new conversation
  }
}

/** Read the saved conversations. Those in memory stay as they are: streams may be writing to them. */
export async function readConversations(): Promise<void> {
  const saved = await database.allConversations();
  conversations.value = byLastUse(saved.map((conversation) => findConversation(conversation.id) ?? conversation));
}

/** Open the conversation that was open in this tab before the reload. */
export function reopenConversation(): void {
  let last: string | null = null;
  try {
    last = sessionStorage.getItem(LAST_OPEN_KEY);
  } catch {
    // without storage, a new conversation opens
  }
  if (last !== null && findConversation(last)) openConversation(last);
  else openBlank([newPanel(preferredProvider())]);
}

/** Let an untouched conversation ask the best provider, once the providers are known. */
export function choosePreferred(): void {
  const { id, panels } = current.value;
  const [panel] = panels;
  if (panel === undefined || panels.length > 1 || panel.turns.length > 0) return;
  changeConversation(id, (before) => ({ ...before, panels: [{ ...panel, provider: preferredProvider() }] }));
}

export function renameConversation(id: string, title: string): void {
  changeConversation(id, (before) => ({ ...before, title: title.trim() || before.title }));
}

export async function deleteConversation(conversation: Conversation): Promise<void> {
  const wasOpen = current.value.id === conversation.id;
  conversations.value = conversations.value.filter(({ id }) => id !== conversation.id);
  if (wasOpen) openBlank(conversation.panels.map((panel) => newPanel(panel.provider, panel.model)));
  await database.removeConversation(conversation);
  announce("Conversation deleted");
}

export async function deleteAllConversations(): Promise<void> {
  startConversation();
  conversations.value = [];
  await database.removeEverything();
  announce("All conversations deleted");
}
