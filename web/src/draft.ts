/** The message that the user is writing. */

import { signal } from "@preact/signals";
import { obstacle, send } from "./actions";
import { announce } from "./announce";
import { attach } from "./attachments";
import type { Attachment } from "./model";
import { providersLoaded, service } from "./providers";
import { current } from "./store";

export const text = signal("");
export const files = signal<readonly Attachment[]>([]);
/** What is wrong with the files that the user tried to attach. */
export const problems = signal<readonly string[]>([]);

/** Return why the text is too long for the server; null if it is not. */
export function tooLong(): string | null {
  const most = service.value.limits.max_prompt_chars;
  if (!most || text.value.length <= most) return null;
  return `${text.value.length.toLocaleString()} characters: this server accepts ${most.toLocaleString()} per message.`;
}

export function isSendable(): boolean {
  const hasContent = text.value.trim() !== "" || files.value.length > 0;
  return (
    hasContent &&
    providersLoaded.value &&
    tooLong() === null &&
    current.value.panels.every((panel) => obstacle(panel) === null)
  );
}

export function submit(): void {
  const [message, attached] = [text.value, files.value];
  text.value = "";
  files.value = [];
  problems.value = [];
  send(message, attached);
}

export async function attachFiles(given: Iterable<File>): Promise<void> {
  const { kept, problems: found } = await attach(given, files.value);
  files.value = [...files.value, ...kept];
  problems.value = found;
  announce(
    [kept.length ? `Attached ${kept.map((file) => file.name).join(", ")}` : "", ...found].filter(Boolean).join(". "),
  );
}

export function removeFile(file: Attachment): void {
  files.value = files.value.filter((other) => other !== file);
  problems.value = [];
  announce(`Removed ${file.name}`);
}
