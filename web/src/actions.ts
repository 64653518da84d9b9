/** What the user can do in the open conversation. */

import { ask, stop } from "./exchange";
import { focusComposer } from "./focus";
import {
  type Attachment,
  type Conversation,
  changePanel,
  isBusy,
  lastReply,
  MAX_PANELS,
  newPanel,
  newReply,
  newTurn,
  type Panel,
  type Question,
  type Settings,
  type Turn,
} from "./model";
import { findProvider, preferredProvider, service, whyUnavailable } from "./providers";
import { endingOf } from "./reply";
import { CONTINUE_PROMPT, RESUME_PROMPT } from "./request";
import { changeConversation, conversations, current, deleteAllConversations, deleteConversation } from "./store";

export const panelLimit = (): number => Math.min(MAX_PANELS, service.value.limits.max_panels ?? MAX_PANELS);

function askPanels(panels: readonly Panel[], turnFor: (panel: Panel) => Turn): void {
  const questions = panels.map((panel): Question => {
    const model = panel.model || findProvider(panel.provider)?.default_model || "";
    return { panel, turn: turnFor(panel), reply: newReply(panel.provider, model) };
  });
  void ask(current.value.id, questions);
  focusComposer(); // the button that had the focus is gone now
}

/** Stop the reply of one panel, or all replies. */
export function stopReplies(panelId?: string): void {
  stop(current.value, panelId);
  focusComposer();
}

/** Delete a conversation and stop its replies. */
export function forget(conversation: Conversation): void {
  stop(conversation);
  void deleteConversation(conversation);
}

export function forgetAll(): void {
  for (const conversation of conversations.value) stop(conversation);
  void deleteAllConversations();
}

/** Return why a panel can't be asked with its current provider and model; null if it can. */
export function obstacle(panel: Panel): string | null {
  const known = findProvider(panel.provider);
  const modelMissing = known !== undefined && !known.default_model && !panel.model.trim();
  return whyUnavailable(panel.provider) ?? (modelMissing ? `Name a model: ${panel.provider} has no default.` : null);
}

/** Send the same message to every panel. */
export function send(text: string, files: readonly Attachment[]): void {
  const { id, panels } = current.value;
  if (isBusy(current.value)) return;
  changeConversation(id, (before) => ({ ...before, title: before.title || titleFor(text, files) }));
  askPanels(panels, () => newTurn("typed", text, files));
}

function titleFor(text: string, files: readonly Attachment[]): string {
  const line = text.trim().split("\n")[0] ?? "";
  return (line.length > 60 ? `${line.slice(0, 59)}…` : line) || files[0]?.name || "Untitled";
}

function withPanel(panelId: string, act: (panel: Panel) => void): void {
  const panel = current.value.panels.find(({ id }) => id === panelId);
  if (panel) act(panel);
}

/** Ask the model to continue after a limit. */
export const continueReply = (panelId: string): void =>
  withPanel(panelId, (panel) => askPanels([panel], () => newTurn("continue", CONTINUE_PROMPT)));

/** Ask the model to continue from the text that had arrived. */
export function resumeReply(panelId: string): void {
  withPanel(panelId, (panel) => {
    const reply = panel.turns.at(-1)?.replies.at(-1);
    if (reply && endingOf(reply) === "stopped") continueReply(panelId);
    else askPanels([panel], () => newTurn("resume", RESUME_PROMPT));
  });
}

/** Ask the same question again. The earlier reply stays readable. */
export function retry(panelId: string): void {
  withPanel(panelId, (panel) => {
    const turn = panel.turns.at(-1);
    if (turn) askPanels([panel], () => turn);
  });
}

/** Ask the last question of the other panels in a panel that was added later. */
export function askHereToo(panel: Panel): void {
  const last = lastTyped();
  if (last) askPanels([panel], () => newTurn("typed", last.text, last.files));
}

export const lastTyped = (): Turn | undefined =>
  current.value.panels.flatMap((panel) => panel.turns.filter((turn) => turn.kind === "typed")).at(-1);

/** Whether the model can be asked to continue after this turn: it is the panel's last, and no reply is running. */
export function canFollow(panel: Panel, turn: Turn): boolean {
  return panel.turns.at(-1) === turn && !isBusy(current.value) && lastReply(turn) !== undefined;
}

export function addPanel(): void {
  const { id, panels } = current.value;
  if (panels.length >= panelLimit()) return;
  // Panels are for comparing, so take a provider that is ready and not in use yet.
  const taken = new Set(panels.map((panel) => panel.provider));
  const other = service.value.providers.find(
    (provider) => provider.ready && provider.default_model && !taken.has(provider.name),
  );
  const added = newPanel(other?.name ?? preferredProvider());
  changeConversation(id, (before) => ({ ...before, panels: [...before.panels, added] }));
}

export function removePanel(panelId: string): void {
  const { id, panels } = current.value;
  if (panels.length < 2) return;
  changeConversation(id, (before) => ({ ...before, panels: before.panels.filter((panel) => panel.id !== panelId) }));
}

export function choose(panelId: string, choice: Partial<Pick<Panel, "provider" | "model">>): void {
  changeConversation(current.value.id, (before) => changePanel(before, panelId, (panel) => ({ ...panel, ...choice })));
}

export function changeSettings(part: Partial<Settings>): void {
  changeConversation(current.value.id, (before) => ({ ...before, settings: { ...before.settings, ...part } }));
}
