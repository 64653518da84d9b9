/** What a screen reader says: changes of state, never every token. */

import { signal } from "@preact/signals";

export const announcement = signal("");

let clearTimer = 0;

export function announce(text: string): void {
  // A screen reader reads changes only; the added space makes a repetition a change.
  announcement.value = announcement.value === text ? `${text}\u00a0` : text;
  window.clearTimeout(clearTimer);
  clearTimer = window.setTimeout(() => {
    announcement.value = "";
  }, 8000);
}
