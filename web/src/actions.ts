/** What the user can do in the open conversation. */

import { addressees } from "./addressees";
import { brandOf } from "./brands";
import { ask, stop } from "./exchange";
import { focusComposer } from "./focus";
import {
  type Attachment,
  type Conversation,
  changePanel,
  type Decision,
  isBusy,
  MAX_PANELS,
  newId,
  newPanel,
  newReply,
  newTurn,
  type Panel,
  type Question,
  type Reply,
  type Settings,
  settingsFor,
  type Turn,
} from "./model";
import { findProvider, preferredChoice, service, whyUnavailable } from "./providers";
import { endingOf } from "./reply";
import { CONTINUE_PROMPT, RESUME_PROMPT } from "./request";
import { addConversation, changeConversation, current, touch } from "./store";
import { texts } from "./texts";
import { copyWithFiles } from "./transfer";
import { addReply, addVersion, roundAt, shownReply, showReply, showVersion, versionInRound } from "./tree";

export const panelLimit = (): number => Math.min(MAX_PANELS, service.value.limits.max_panels ?? MAX_PANELS);

/** A provider and a model of it; an empty model is the provider's default. */
export type Choice = Pick<Panel, "provider" | "model">;

function question(panel: Panel, turn: Turn, choice: Choice = panel): Question {
  const model = choice.model || findProvider(choice.provider)?.default_model || "";
  const { maxTokens, maxCost } = settingsFor(current.value, panel);
  const reply: Reply = {
    ...newReply(choice.provider, model),
    asked: { maxTokens, budget: maxCost ?? null, at: Date.now() },
  };
  return { panel, turn, reply };
}

function askPanels(panels: readonly Panel[], turnFor: (panel: Panel) => Turn): void {
  void ask(
    current.value.id,
    panels.map((panel) => question(panel, turnFor(panel))),
  );
  focusComposer(); // the button that had the focus is gone now
}

/** Stop the reply of one panel, or all replies. */
export function stopReplies(panelId?: string): void {
  stop(current.value, panelId);
  focusComposer();
}

/** Return why a panel can't be asked with its current provider and model; null if it can. */
export function obstacle(panel: Panel): string | null {
  const known = findProvider(panel.provider);
  const modelMissing = known !== undefined && !known.default_model && !panel.model.trim();
  return whyUnavailable(panel.provider) ?? (modelMissing ? texts.composer.chooseModel(brandOf(panel.provider)) : null);
}

/** Send the same message to the panels of a conversation that are chosen, by default of the open one. */
export function send(text: string, files: readonly Attachment[], conversation: Conversation = current.value): void {
  const { id } = conversation;
  const panels = addressees(conversation.panels);
  if (isBusy(conversation)) return;
  changeConversation(id, (before) => ({ ...before, title: before.title || titleFor(text, files) }));
  const round = newId();
  void ask(
    id,
    panels.map((panel) => question(panel, { ...newTurn("typed", text, files), round })),
  );
  if (id === current.value.id) focusComposer();
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
    const turn = panel.turns.at(-1);
    const reply = turn && shownReply(turn);
    if (reply && endingOf(reply) === "stopped") continueReply(panelId);
    else askPanels([panel], () => newTurn("resume", RESUME_PROMPT));
  });
}

/** Answer the calls that wait for an approval; the model goes on with them, or without. */
export const decide = (panelId: string, decisions: readonly Decision[]): void =>
  withPanel(panelId, (panel) => askPanels([panel], () => ({ ...newTurn("decide", ""), decisions })));

/** Ask the same question again. The earlier reply stays readable. */
export const retry = (panelId: string): void =>
  withPanel(panelId, (panel) => {
    const turn = panel.turns.at(-1);
    if (turn) askPanels([panel], () => turn);
  });

/** Answer a question again, also with another model. The earlier reply is kept with what followed it. */
export const answerAgain = (panelId: string, turnId: string, choice?: Choice): void =>
  withPanel(panelId, (panel) => {
    const turn = panel.turns.find(({ id }) => id === turnId);
    if (turn === undefined || isBusy(current.value)) return;
    void ask(current.value.id, [question(panel, turn, choice)]);
    focusComposer();
  });

/** Ask a question in another version, in every panel that was asked it. The version before is kept with its answers. */
export function editQuestion(panelId: string, turnId: string, text: string, files: readonly Attachment[]): void {
  const { id, panels } = current.value;
  const edited = panels.find((panel) => panel.id === panelId)?.turns.find((turn) => turn.id === turnId);
  if (edited === undefined || isBusy(current.value)) return;
  const round = newId();
  const asked = panels.flatMap((panel) => {
    const turn = sameQuestion(panel, edited);
    const version = { ...newTurn("typed", text, files), round };
    return turn ? [{ panel: addVersion(panel, turn.id, version), version }] : [];
  });
  changeConversation(id, (before) => ({
    ...before,
    panels: before.panels.map((panel) => asked.find((found) => found.panel.id === panel.id)?.panel ?? panel),
  }));
  void ask(
    id,
    asked.map(({ panel, version }) => question(panel, panel.turns.find((turn) => turn.id === version.id) ?? version)),
  );
  focusComposer();
}

/** Return the turn of a panel in which it was asked the same question in the same round. */
const sameQuestion = (panel: Panel, asked: Turn): Turn | undefined =>
  panel.turns.find(({ id, round }) => id === asked.id || (round !== undefined && round === asked.round));

/** Show another version of a question, in every panel that was asked it. */
export function showQuestion(turnId: string, place: number): void {
  const { id, panels } = current.value;
  const shown = panels.flatMap(({ turns }) => turns).find((turn) => turn.id === turnId);
  if (shown === undefined) return;
  const round = roundAt(shown, place);
  changeConversation(id, (before) => ({
    ...before,
    panels: before.panels.map((panel) => {
      const turn = sameQuestion(panel, shown);
      if (turn === undefined) return panel;
      const found = turn.id === turnId ? place : versionInRound(turn, round);
      return found === null ? panel : showVersion(panel, turn.id, found);
    }),
  }));
}

/** Show another answer to a question, with what followed it. */
export const showAnswer = (panelId: string, turnId: string, replyId: string): void =>
  changeConversation(current.value.id, (before) =>
    changePanel(before, panelId, (panel) => showReply(panel, turnId, replyId)),
  );

/** Go on in a new conversation, which has the open one up to this turn. */
export async function branchFrom(panelId: string, turnId: string): Promise<void> {
  const conversation = current.value;
  const asked = conversation.panels.find(({ id }) => id === panelId)?.turns.find(({ id }) => id === turnId);
  if (asked === undefined) return;
  const cut = (panel: Panel): Panel => {
    const turn = sameQuestion(panel, asked);
    return { ...panel, turns: turn ? panel.turns.slice(0, panel.turns.indexOf(turn) + 1) : panel.turns };
  };
  const copy = await copyWithFiles({ ...conversation, panels: conversation.panels.map(cut), streams: [] });
  await addConversation({ ...touch(copy), pinned: false });
  focusComposer();
}

/** Go on with one panel alone. The answers of the others stay as versions of its own. Return what takes it back. */
export function keepPanel(panelId: string): (() => void) | null {
  const { id, panels } = current.value;
  const kept = panels.find((panel) => panel.id === panelId);
  if (kept === undefined || isBusy(current.value)) return null;
  const others = panels.filter((panel) => panel !== kept);
  const turns = kept.turns.map((turn): Turn => {
    const shown = shownReply(turn);
    const replies = others.flatMap((panel) => sameQuestion(panel, turn)?.replies ?? []);
    return shown && replies.length > 0 ? { ...turn, replies: [...turn.replies, ...replies], shown: shown.id } : turn;
  });
  changeConversation(id, (before) => ({ ...before, panels: [{ ...kept, turns }] }));
  focusComposer();
  return () =>
    changeConversation(id, (before) => ({
      ...before,
      // What was asked meanwhile stays.
      panels: panels.map((panel) => before.panels.find((now) => now.id === panel.id && hasMore(now, kept)) ?? panel),
    }));
}

const hasMore = (now: Panel, before: Panel): boolean =>
  now.turns.some(({ id }) => before.turns.every((turn) => turn.id !== id));

/** Let all panels go on from this answer; their own answers stay as versions. Return what takes it back. */
export function shareAnswer(panelId: string, turnId: string): (() => void) | null {
  const { id, panels } = current.value;
  const turn = panels.find((panel) => panel.id === panelId)?.turns.find((other) => other.id === turnId);
  const reply = turn && shownReply(turn);
  if (turn === undefined || reply === undefined || isBusy(current.value)) return null;
  const changed = panels.map((panel) => {
    const own = panel.id === panelId ? undefined : sameQuestion(panel, turn);
    return own ? addReply(panel, own, { ...reply, id: newId() }) : panel;
  });
  changeConversation(id, (before) => ({ ...before, panels: changed }));
  return () =>
    changeConversation(id, (before) => ({
      ...before,
      // A panel that was asked more meanwhile stays as it is.
      panels: before.panels.map((panel) => panels[changed.indexOf(panel)] ?? panel),
    }));
}

/** Ask another model whether the last answer of a panel is right. */
export const askToCheck = (panelId: string, choice: Choice): void =>
  withPanel(panelId, (panel) => {
    if (isBusy(current.value)) return;
    void ask(current.value.id, [question(panel, newTurn("typed", texts.act.checkPrompt), choice)]);
    focusComposer();
  });

/** Ask the last question of the other panels in a panel that was added later. */
export function askHereToo(panel: Panel): void {
  const last = lastTyped();
  if (last) askPanels([panel], () => newTurn("typed", last.text, last.files));
}

export const lastTyped = (): Turn | undefined =>
  current.value.panels.flatMap((panel) => panel.turns.filter((turn) => turn.kind === "typed")).at(-1);

/** Whether the model can be asked to continue after this turn: it is the panel's last, and no reply is running. */
export function canFollow(panel: Panel, turn: Turn): boolean {
  return panel.turns.at(-1) === turn && !isBusy(current.value) && shownReply(turn) !== undefined;
}

/** Add a panel, by default with a provider that is ready and not in use yet: panels are for comparing. */
export function addPanel(choice?: Choice): void {
  const { id, panels } = current.value;
  if (panels.length >= panelLimit()) return;
  const taken = new Set(panels.map((panel) => panel.provider));
  const other = service.value.providers.find(
    (provider) => provider.ready && provider.default_model && !taken.has(provider.name),
  );
  const own = choice ? newPanel(choice.provider, choice.model) : null;
  const added = own ?? (other ? newPanel(other.name) : newPanel(...preferredChoice()));
  changeConversation(id, (before) => ({ ...before, panels: [...before.panels, added] }));
}

export function removePanel(panelId: string): void {
  const { id, panels } = current.value;
  if (panels.length < 2) return;
  changeConversation(id, (before) => ({ ...before, panels: before.panels.filter((panel) => panel.id !== panelId) }));
}

export function choose(panelId: string, choice: Partial<Choice>): void {
  changeConversation(current.value.id, (before) => changePanel(before, panelId, (panel) => ({ ...panel, ...choice })));
}

/** Change the settings of the conversation, or what differs from them in one panel. */
export function changeSettings(part: Partial<Settings>, panelId?: string): void {
  changeConversation(current.value.id, (before) =>
    panelId === undefined
      ? { ...before, settings: { ...before.settings, ...part } }
      : changePanel(before, panelId, (panel) => ({ ...panel, settings: { ...panel.settings, ...part } })),
  );
}

/** Let a panel be asked with the conversation's value of a setting again. */
export function shareSetting(panelId: string, name: keyof Settings): void {
  changeConversation(current.value.id, (before) =>
    changePanel(before, panelId, (panel) => {
      const { [name]: _, ...settings } = panel.settings ?? {};
      return { ...panel, settings };
    }),
  );
}
