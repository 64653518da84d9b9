/** Moves the focus to the message field, for example when the button that had it disappears. */

import { signal } from "@preact/signals";

/** Counts the requests to focus the message field; the composer focuses it at each change. */
export const focusRequests = signal(0);

export function focusComposer(): void {
  focusRequests.value += 1;
}
