/** Short messages above the composer. They go by themselves, later if they offer to undo something. */

import { signal } from "@preact/signals";
import { newId } from "./model";

const SHOWN_FOR = 5_000; // ms
const UNDO_FOR = 10_000; // ms
const MOST_SHOWN = 2;

export interface Toast {
  readonly id: string;
  readonly text: string;
  /** Takes back what the message tells; null if that can't be done. */
  readonly undo: (() => void) | null;
}

/** What is shown; the latest is last. */
export const toasts = signal<readonly Toast[]>([]);

const timers = new Map<string, number>();

export function toast(text: string, undo: Toast["undo"] = null): void {
  const added: Toast = { id: newId(), text, undo };
  for (const { id } of toasts.value.slice(0, -MOST_SHOWN + 1)) dropToast(id);
  toasts.value = [...toasts.value, added];
  letGo(added);
}

export function dropToast(id: string): void {
  window.clearTimeout(timers.get(id));
  timers.delete(id);
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

/** Keep the messages while the pointer or the focus is on them. */
export function holdToasts(): void {
  for (const timer of timers.values()) window.clearTimeout(timer);
}

/** Let the messages go after their time again. */
export function releaseToasts(): void {
  for (const shown of toasts.value) letGo(shown);
}

function letGo({ id, undo }: Toast): void {
  window.clearTimeout(timers.get(id));
  timers.set(
    id,
    window.setTimeout(() => dropToast(id), undo ? UNDO_FOR : SHOWN_FOR),
  );
}
