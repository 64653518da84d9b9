/** What the user can do in the open conversation. */

import { ask as put, isBusy, stop } from "./exchange";
import { focusComposer } from "./focus";
import { type Attachment, type Conversation, MAX_PANELS, type Panel, type Turn, lastReply, newId, newPanel, newReply } from "./model";
import { findProvider, preferredProvider, service, whyNot } from "./providers";
import { ending } from "./reply";
import { type Asked, GO_ON, GO_ON_AFTER_BREAK } from "./request";
import { changed, conversations, current, discard, discardAll, save } from "./store";

export const mostPanels = (): number => Math.min(MAX_PANELS, service.value.limits.max_panels ?? MAX_PANELS);

const question = (panel: Panel, turn: Turn): Asked => ({
  panel,
  turn,
  reply: newReply(panel.provider, panel.model || findProvider(panel.provider)?.default_model || ""),
});

function newTurn(panel: Panel, kind: Turn["kind"], text: string, files: Attachment[] = []): Turn {
  const turn: Turn = { id: newId(), kind, text, files, replies: [] };
  panel.turns.push(turn);
  return turn;
}

/** The button that asked is gone by then. */
function ask(conversation: Conversation, asked: Asked[]): void {
  void put(conversation, asked);
  focusComposer();
}

/** One panel's reply, or all. */
export function stopReplies(panel?: Panel): void {
  stop(current.value, panel?.id);
  focusComposer();
}

/** What is deleted goes on nowhere. */
export function forget(conversation: Conversation): void {
  stop(conversation);
  void discard(conversation);
}

export function forgetAll(): void {
  for (const conversation of conversations.value) stop(conversation);
  void discardAll();
}

/** Why a panel can't be asked as it is set, or null. */
export function obstacle(panel: Panel): string | null {
  const known = findProvider(panel.provider);
  const nameless = known !== undefined && !known.default_model && !panel.model.trim();
  return whyNot(panel.provider) ?? (nameless ? `Name a model: ${panel.provider} has no default.` : null);
}

/** The same words to every panel. */
export function send(text: string, files: Attachment[]): void {
  const conversation = current.value;
  if (isBusy(conversation)) return;
  conversation.title ||= title(text, files);
  const asked = conversation.panels.map((panel) => question(panel, newTurn(panel, "typed", text, files)));
  ask(conversation, asked);
}

function title(text: string, files: Attachment[]): string {
  const line = text.trim().split("\n")[0] ?? "";
  return (line.length > 60 ? `${line.slice(0, 59)}…` : line) || files[0]?.name || "Untitled";
}

function follow(panel: Panel, kind: Turn["kind"], text: string): void {
  ask(current.value, [question(panel, newTurn(panel, kind, text))]);
}

/** Another turn that asks the model to go on after a limit. */
export const goOn = (panel: Panel): void => follow(panel, "continue", GO_ON);

/** Another turn that asks the model to go on from the text that had arrived. */
export function resume(panel: Panel): void {
  const reply = panel.turns.at(-1)?.replies.at(-1);
  if (reply && ending(reply) === "stopped") goOn(panel);
  else follow(panel, "resume", GO_ON_AFTER_BREAK);
}

/** The same question again. The try before stays to be read. */
export function retry(panel: Panel): void {
  const turn = panel.turns[panel.turns.length - 1];
  if (turn) ask(current.value, [question(panel, turn)]);
}

/** The question that the other panels had, for a panel that came later. */
export function askHereToo(panel: Panel): void {
  const last = lastTyped();
  if (last) ask(current.value, [question(panel, newTurn(panel, "typed", last.text, last.files))]);
}

export const lastTyped = (): Turn | undefined =>
  current.value.panels.flatMap((panel) => panel.turns.filter((turn) => turn.kind === "typed")).at(-1);

/** Whether the reply is the last of its panel, and nobody is writing: only then can it be gone on from. */
export function canFollow(panel: Panel, turn: Turn): boolean {
  return panel.turns.at(-1) === turn && !isBusy(current.value) && lastReply(turn) !== undefined;
}

export function addPanel(): void {
  const { panels } = current.value;
  if (panels.length >= mostPanels()) return;
  // Another provider than those that are there, where one is ready: to compare is what panels are for.
  const taken = new Set(panels.map((panel) => panel.provider));
  const other = service.value.providers.find((provider) => provider.ready && provider.default_model && !taken.has(provider.name));
  panels.push(newPanel(other?.name ?? preferredProvider()));
  edited();
}

export function removePanel(panel: Panel): void {
  const { panels } = current.value;
  if (panels.length < 2) return;
  panels.splice(panels.indexOf(panel), 1);
  edited();
}

export function choose(panel: Panel, choice: Partial<Pick<Panel, "provider" | "model">>): void {
  Object.assign(panel, choice);
  edited();
}

export function edited(): void {
  changed();
  void save(current.value);
}
