/** Which question the user is editing. At most one is. */

import { computed, signal } from "@preact/signals";
import { isBusy, type Turn } from "./model";
import { current } from "./store";

const edited = signal<string | null>(null);

/** The id of the turn whose question is edited; null if none is, or if it is no longer shown. */
export const editedTurn = computed(() =>
  current.value.panels.some(({ turns }) => turns.some(({ id }) => id === edited.value)) ? edited.value : null,
);

/** Edit a question in its place, unless a reply is running. */
export function editInPlace(turn: Turn): void {
  if (!isBusy(current.value)) edited.value = turn.id;
}

/** Edit the last question of the open conversation; return whether there is one. */
export function editLast(): boolean {
  const last = current.value.panels[0]?.turns.findLast(({ kind }) => kind === "typed");
  if (last === undefined || isBusy(current.value)) return false;
  edited.value = last.id;
  return true;
}

export function stopEditing(): void {
  edited.value = null;
}
