/** Which conversations exist, and which one is open.
 *
 * Rule: `changeConversation` is the only way to change one. It puts a new object into a signal, which draws every
 * component that has read the old one, and saves it.
 */

import { batch, computed, signal } from "@preact/signals";
import { idInAddress, writeAddress } from "./address";
import { announce } from "./announce";
import * as database from "./database";
import { type Conversation, hasQuestions, newConversation, newPanel, type Panel } from "./model";
import { tellOtherTabs } from "./other-tabs";
import { preferredChoice } from "./providers";
import { texts } from "./texts";
import { usualSettings } from "./usual";

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
  adoptConversation(after);
  void save(after);
}

/** List a conversation, in place of its earlier version, without saving it. */
export function adoptConversation(conversation: Conversation): void {
  const { id } = conversation;
  batch(() => {
    conversations.value = byLastUse([conversation, ...conversations.value.filter((other) => other.id !== id)]);
    if (blank.value.id !== id) return;
    blank.value = newBlank();
    if (openId.value === id) writeAddress(id, true);
  });
}

/** Return a conversation that asks the best provider with the settings that the user has chosen for new ones. */
const newBlank = (panels: readonly Panel[] = [newPanel(...preferredChoice())]): Conversation =>
  newConversation(panels, usualSettings());

/** List a conversation that is new here, save it, and open it. */
export async function addConversation(conversation: Conversation): Promise<void> {
  adoptConversation(conversation);
  openConversation(conversation.id);
  await save(conversation);
}

/** Return the conversation as one that was used just now, which puts it first in the list. */
export const touch = (conversation: Conversation): Conversation => ({ ...conversation, updatedAt: Date.now() });

const byLastUse = (found: Conversation[]): Conversation[] =>
  found.sort((one, other) => other.updatedAt - one.updatedAt);

async function save(conversation: Conversation): Promise<void> {
  try {
    await database.putConversation(conversation);
    tellOtherTabs({ kind: "changed", conversation });
  } catch {
    notify(texts.toast.notSaved);
  }
}

/** Open a new conversation with the providers and models of the open one. */
export function startConversation(): void {
  openBlank(current.value.panels.map((panel) => newPanel(panel.provider, panel.model)));
}

function openBlank(panels?: readonly Panel[]): void {
  blank.value = newBlank(panels);
  openConversation(blank.value.id);
}

/** Open a conversation, and write its address. */
export function openConversation(id: string): void {
  openId.value = id;
  writeAddress(blank.value.id === id ? null : id);
}

/** Open the conversation of the page's address: after "back", or when the page starts. */
export function followAddress(): void {
  const id = idInAddress();
  if (id !== null && findConversation(id)) {
    openId.value = id;
    return;
  }
  if (id !== null) notify(texts.list.missing);
  blank.value = newBlank();
  openId.value = blank.value.id;
  writeAddress(null, true);
}

/** Read the saved conversations. Those in memory stay as they are: streams may be writing to them. */
export async function readConversations(): Promise<void> {
  const saved = await database.allConversations();
  conversations.value = byLastUse(saved.map((conversation) => findConversation(conversation.id) ?? conversation));
}

/** Let an untouched conversation ask the best provider, once the providers are known. */
export function choosePreferred(): void {
  const { id, panels } = current.value;
  const [panel] = panels;
  if (panel === undefined || panels.length > 1 || panel.turns.length > 0) return;
  const [provider, model] = preferredChoice();
  changeConversation(id, (before) => ({ ...before, panels: [{ ...panel, provider, model }] }));
}

export function pinConversation(id: string, pinned: boolean): void {
  changeConversation(id, (before) => ({ ...before, pinned }));
}

export function renameConversation(id: string, title: string): void {
  changeConversation(id, (before) => ({ ...before, title: title.trim() || before.title }));
}

export async function deleteConversation(conversation: Conversation): Promise<void> {
  dropConversations(({ id }) => id === conversation.id);
  await database.removeConversation(conversation);
  tellOtherTabs({ kind: "deleted", id: conversation.id });
  announce("Conversation deleted");
}

/** List these conversations no longer. If one of them is open, open a new one with its providers and models. */
export function dropConversations(chosen: (conversation: Conversation) => boolean): void {
  const open = current.value;
  const wasListed = open.id !== blank.value.id;
  conversations.value = conversations.value.filter((conversation) => !chosen(conversation));
  if (wasListed && chosen(open)) openBlank(open.panels.map((panel) => newPanel(panel.provider, panel.model)));
}

/** List a conversation again that was deleted, save it, and open it. */
export const restoreConversation = (conversation: Conversation): Promise<void> =>
  addConversation(findConversation(conversation.id) ?? conversation);

export async function deleteAllConversations(): Promise<void> {
  startConversation();
  conversations.value = [];
  await database.removeEverything();
  tellOtherTabs({ kind: "emptied" });
  announce("All conversations deleted");
}
