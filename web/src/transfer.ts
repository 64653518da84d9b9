/** Exports all conversations, with their files, to one JSON file, and imports them. */

import { fromBase64, toBase64 } from "./base64";
import { allConversations, getFile, putConversation, putFile } from "./database";
import { type Conversation, newId, newReply, type Panel, type PanelEnd, type Reply, type Turn } from "./model";

const FORMAT = "msgmodel-conversations";

interface Exported {
  format: typeof FORMAT;
  version: 1;
  conversations: Conversation[];
  /** Base64, by the id of the attachment. */
  files: Record<string, string>;
}

export async function exportAll(): Promise<Blob> {
  const conversations = await allConversations();
  const files: Exported["files"] = {};
  for (const { id } of conversations.flatMap(attachmentsOf)) {
    const bytes = await getFile(id);
    if (bytes) files[id] = await toBase64(bytes);
  }
  const exported: Exported = { format: FORMAT, version: 1, conversations, files };
  return new Blob([JSON.stringify(exported, null, 1)], { type: "application/json" });
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
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

const attachmentsOf = (conversation: Conversation) =>
  conversation.panels.flatMap((panel) => panel.turns.flatMap((turn) => turn.files));

/** Copy a conversation with new ids, and only the known fields: the file may come from anywhere. */
function copyConversation(given: Conversation): { conversation: Conversation; renamed: Map<string, string> } {
  const renamed = new Map<string, string>();
  const turn = (from: Turn): Turn => ({
    id: newId(),
    kind: from.kind === "continue" || from.kind === "resume" ? from.kind : "typed",
    text: String(from.text ?? ""),
    files: itemsIn(from.files).map((file) => {
      const id = newId();
      renamed.set(id, String(file.id));
      return { id, name: String(file.name), type: String(file.type), size: Number(file.size) || 0 };
    }),
    replies: itemsIn(from.replies).map(copyReply),
  });
  const panel = (from: Panel): Panel => ({
    id: newId(),
    provider: String(from.provider),
    model: String(from.model ?? ""),
    turns: itemsIn(from.turns).map(turn),
  });
  const settings = given.settings ?? {};
  const conversation: Conversation = {
    id: newId(),
    title: String(given.title ?? ""),
    createdAt: Number(given.createdAt) || Date.now(),
    updatedAt: Number(given.updatedAt) || Date.now(),
    panels: itemsIn(given.panels).slice(0, 8).map(panel),
    settings: {
      system: String(settings.system ?? ""),
      maxTokens: Number(settings.maxTokens) || null,
      temperature: typeof settings.temperature === "number" ? settings.temperature : null,
      reasoning: ["none", "low", "medium", "high"].includes(settings.reasoning) ? settings.reasoning : "",
    },
    streams: [], // streams belong to the browser that began them
  };
  if (conversation.panels.length === 0) throw new Error("a conversation in the file has no panels");
  return { conversation, renamed };
}

function copyReply(from: Reply): Reply {
  const end = validEnd(from.end);
  return {
    ...newReply(String(from.provider), String(from.model ?? "")),
    content: String(from.content ?? ""),
    reasoning: String(from.reasoning ?? ""),
    refusal: String(from.refusal ?? ""),
    toolCalls: objectsIn(from.toolCalls).map((call) => ({
      ...call,
      name: String(call.name),
      arguments: String(call.arguments),
    })),
    sources: objectsIn(from.sources).map(({ url, title, text }) => ({
      url: stringOrNull(url),
      title: stringOrNull(title),
      text: stringOrNull(text),
    })),
    end,
    lost: end
      ? null
      : { code: String(from.lost?.code ?? "interrupted"), message: String(from.lost?.message ?? UNFINISHED) },
  };
}

const UNFINISHED = "The reply was exported before it had ended.";

/** Return a terminal event if it has every key that the page reads, else null. */
function validEnd(end: PanelEnd | null | undefined): PanelEnd | null {
  if (!isObject(end) || ![end.usage, end.timing, end.message].every(isObject)) return null;
  const { timing, cost } = end;
  const counts = [timing.first_delta_seconds, cost].every((value) => value === null || typeof value === "number");
  return counts && typeof timing.total_seconds === "number" ? end : null;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const stringOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

const objectsIn = <T>(value: readonly T[] | undefined): readonly T[] => itemsIn(value).filter(isObject);

const itemsIn = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : []);
