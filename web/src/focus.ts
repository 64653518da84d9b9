/** Where the focus goes when the button that was pressed is gone: to the message field. */

import { signal } from "@preact/signals";

/** Goes up when the field is to have the focus. */
export const focusWish = signal(0);

export function focusComposer(): void {
  focusWish.value += 1;
}
