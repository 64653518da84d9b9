/** What the user is about to send. */

import { signal } from "@preact/signals";
import { obstacle, send } from "./actions";
import { announce } from "./announce";
import { attach } from "./attachments";
import type { Attachment } from "./model";
import { loaded, service } from "./providers";
import { current } from "./store";

export const text = signal("");
export const files = signal<Attachment[]>([]);
/** What is wrong with a file that was handed in. */
export const problems = signal<string[]>([]);
export function tooLong(): string | null {
  const most = service.value.limits.max_prompt_chars;
  if (!most || text.value.length <= most) return null;
  return `${text.value.length.toLocaleString()} characters: this server takes ${most.toLocaleString()} a message.`;
}

export function isSendable(): boolean {
  const something = text.value.trim() !== "" || files.value.length > 0;
  return something && loaded.value && tooLong() === null && current.value.panels.every((panel) => obstacle(panel) === null);
}

export function submit(): void {
  const [words, attached] = [text.value, files.value];
  text.value = "";
  files.value = [];
  problems.value = [];
  send(words, attached);
}

export async function add(given: Iterable<File>): Promise<void> {
  const { kept, problems: found } = await attach(given, files.value);
  files.value = [...files.value, ...kept];
  problems.value = found;
  announce([kept.length ? `Attached ${kept.map((file) => file.name).join(", ")}` : "", ...found].filter(Boolean).join(". "));
}

export function drop(file: Attachment): void {
  files.value = files.value.filter((other) => other !== file);
  problems.value = [];
  announce(`Removed ${file.name}`);
}
