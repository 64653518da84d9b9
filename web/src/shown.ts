/** What of the page is shown: the panel on a narrow page, and the list of conversations on a broad one. */

import { signal } from "@preact/signals";

/** The place of the panel, from 0. */
export const shownPanel = signal(0);

export function showPanel(place: number): void {
  shownPanel.value = place;
}

/** Whether the user has folded the list to a rail, or unfolded it; null: as there is room. */
export const foldedByUser = signal<boolean | null>(null);

/** Whether the list is a rail now. */
export const isFolded = signal(false);

export function toggleList(): void {
  foldedByUser.value = !isFolded.value;
}
