/** What a screen reader is told: changes of state, never every token. */

import { signal } from "@preact/signals";

export const announcement = signal("");

let clearing = 0;

export function announce(text: string): void {
  // The same words twice would not be a change, and would not be read.
  announcement.value = announcement.value === text ? `${text}\u00a0` : text;
  window.clearTimeout(clearing);
  clearing = window.setTimeout(() => (announcement.value = ""), 8000);
}
