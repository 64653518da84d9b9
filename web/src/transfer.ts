/** Exports conversations with their files to one JSON file, or one as Markdown, and imports the former. */

import { fromBase64, toBase64 } from "./base64";
import { copyConversation } from "./copy";
import { allConversations, getFile, putConversation, putFile } from "./database";
import type { Conversation } from "./model";
import { attachmentsOf } from "./tree";

const FORMAT = "msgmodel-conversations";

interface Exported {
  format: typeof FORMAT;
  /** 2: a turn may have versions. The file of version 1 is read as one without. */
  version: 2;
  conversations: readonly Conversation[];
  /** Base64, by the id of the attachment. */
  files: Record<string, string>;
}

/** Return these conversations with their files, by default all that are saved. */
export async function exportAll(chosen?: readonly Conversation[]): Promise<Blob> {
  const conversations = chosen ?? (await allConversations());
  const files: Exported["files"] = {};
  for (const { id } of conversations.flatMap(attachmentsOf)) {
    const bytes = await getFile(id);
    if (bytes) files[id] = await toBase64(bytes);
  }
  const exported: Exported = { format: FORMAT, version: 2, conversations, files };
  return new Blob([JSON.stringify(exported, null, 1)], { type: "application/json" });
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Return a name for a file that holds a conversation: its title without what no file system takes. */
export function fileNameFor(title: string, ending: string): string {
  const words = title.normalize("NFC").match(/[\p{L}\p{N}]+/gu) ?? [];
  return `${words.join("-").slice(0, 60) || "conversation"}.${ending}`;
}

/** Add the conversations of an exported file to the saved ones, and return how many. Throws if it is no such file. */
export async function importAll(text: string): Promise<number> {
  const exported = JSON.parse(text) as Partial<Exported>;
  if (exported.format !== FORMAT || !Array.isArray(exported.conversations)) {
    throw new Error("the file holds no exported conversations");
  }
  const fresh = exported.conversations.map(copyConversation);
  for (const { conversation, renamed } of fresh) {
    for (const file of attachmentsOf(conversation)) {
      const data = exported.files?.[renamed.get(file.id) ?? ""];
      if (typeof data === "string") await putFile(file.id, fromBase64(data, file.type));
    }
    await putConversation(conversation);
  }
  return fresh.length;
}

/** Return a copy of a conversation with new ids, and with copies of its files. */
export async function copyWithFiles(given: Conversation): Promise<Conversation> {
  const { conversation, renamed } = copyConversation(given);
  for (const [id, before] of renamed) {
    const bytes = await getFile(before);
    if (bytes) await putFile(id, bytes);
  }
  return conversation;
}
