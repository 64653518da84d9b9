/** The message that the user is writing. */

import { effect, signal } from "@preact/signals";
import { obstacle, send } from "./actions";
import { addressees } from "./addressees";
import { announce } from "./announce";
import { attach } from "./attachments";
import { focusComposer } from "./focus";
import { type Attachment, type Conversation, isBusy } from "./model";
import { providersLoaded, service } from "./providers";
import { endingOf } from "./reply";
import { current, findConversation } from "./store";
import { texts } from "./texts";
import { toast } from "./toasts";
import { shownReply } from "./tree";

export const text = signal("");
export const files = signal<readonly Attachment[]>([]);
/** What is wrong with the files that the user tried to attach. */
export const problems = signal<readonly string[]>([]);

/** Return why the text is too long for the server; null if it is not. */
export function tooLong(): string | null {
  const most = service.value.limits.max_prompt_chars;
  if (!most || text.value.length <= most) return null;
  return texts.composer.tooLong((text.value.length - most).toLocaleString("en"), most.toLocaleString("en"));
}

export function isSendable(): boolean {
  const hasContent = text.value.trim() !== "" || files.value.length > 0;
  return (
    hasContent &&
    providersLoaded.value &&
    tooLong() === null &&
    addressees(current.value.panels).every((panel) => obstacle(panel) === null)
  );
}

/** A message that is sent when the replies of its conversation have ended. */
export interface Queued {
  readonly conversationId: string;
  readonly text: string;
  readonly files: readonly Attachment[];
}

/** The message that waits; null if none does. */
export const queued = signal<Queued | null>(null);

/** Send the message, or let it wait for the replies that are running. A second one is added to the first. */
export function submit(): void {
  const [message, attached] = [text.value, files.value];
  text.value = "";
  files.value = [];
  problems.value = [];
  if (!isBusy(current.value)) {
    send(message, attached);
    return;
  }
  const before = queued.value;
  const same = before?.conversationId === current.value.id ? before : null;
  queued.value = {
    conversationId: current.value.id,
    text: [same?.text, message].filter(Boolean).join("\n\n"),
    files: [...(same?.files ?? []), ...attached],
  };
}

/** Put the message that waits back into the field. */
export function takeBack(): void {
  const waiting = queued.value;
  if (waiting === null) return;
  queued.value = null;
  text.value = [waiting.text, text.value].filter(Boolean).join("\n\n");
  files.value = [...waiting.files, ...files.value];
  focusComposer();
}

effect(() => {
  const waiting = queued.value;
  if (waiting === null) return;
  const conversation = findConversation(waiting.conversationId);
  if (conversation !== undefined && isBusy(conversation)) return;
  if (conversation !== undefined && endedWell(conversation)) {
    queued.value = null;
    send(waiting.text, waiting.files, conversation);
  } else {
    takeBack(); // after a reply that was stopped or broke, the user may want to say something else
    toast(texts.queue.taken);
  }
});

const endedWell = (conversation: Conversation): boolean =>
  conversation.panels.every(({ turns }) => {
    const turn = turns.at(-1);
    const reply = turn && shownReply(turn);
    return reply === undefined || !["stopped", "broken", "failed"].includes(endingOf(reply));
  });

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
