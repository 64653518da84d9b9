/** Conversations out to one JSON file, files included, and back in. */

import { fromBase64, toBase64 } from "./base64";
import { allConversations, getFile, putConversation, putFile } from "./database";
import { type Conversation, type Panel, type PanelEnd, type Reply, type Turn, newId, newReply } from "./model";

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
  for (const { id } of conversations.flatMap(attachments)) {
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

/** Adds the conversations of such a file beside those that are there. Returns how many. Throws where it is none. */
export async function importAll(text: string): Promise<number> {
  const exported = JSON.parse(text) as Partial<Exported>;
  if (exported.format !== FORMAT || !Array.isArray(exported.conversations)) {
    throw new Error("this file does not hold exported conversations");
  }
  const fresh = exported.conversations.map(copy);
  for (const { conversation, renamed } of fresh) {
    for (const file of attachments(conversation)) {
      const data = exported.files?.[renamed.get(file.id) ?? ""];
      if (typeof data === "string") await putFile(file.id, fromBase64(data, file.type));
    }
    await putConversation(conversation);
  }
  return fresh.length;
}

const attachments = (conversation: Conversation) =>
  conversation.panels.flatMap((panel) => panel.turns.flatMap((turn) => turn.files));

/** With ids of its own, and only with what a conversation has: the file comes from anywhere. */
function copy(given: Conversation): { conversation: Conversation; renamed: Map<string, string> } {
  const renamed = new Map<string, string>();
  const turn = (from: Turn): Turn => ({
    id: newId(),
    kind: from.kind === "continue" || from.kind === "resume" ? from.kind : "typed",
    text: String(from.text ?? ""),
    files: list(from.files).map((file) => {
      const id = newId();
      renamed.set(id, String(file.id));
      return { id, name: String(file.name), type: String(file.type), size: Number(file.size) || 0 };
    }),
    replies: list(from.replies).map(reply),
  });
  const panel = (from: Panel): Panel => ({
    id: newId(),
    provider: String(from.provider),
    model: String(from.model ?? ""),
    turns: list(from.turns).map(turn),
  });
  const settings = given.settings ?? {};
  const conversation: Conversation = {
    id: newId(),
    title: String(given.title ?? ""),
    createdAt: Number(given.createdAt) || Date.now(),
    updatedAt: Number(given.updatedAt) || Date.now(),
    panels: list(given.panels).slice(0, 8).map(panel),
    settings: {
      system: String(settings.system ?? ""),
      maxTokens: Number(settings.maxTokens) || null,
      temperature: typeof settings.temperature === "number" ? settings.temperature : null,
      reasoning: ["none", "low", "medium", "high"].includes(settings.reasoning) ? settings.reasoning : "",
    },
    streams: [], // they belong to another browser
  };
  if (conversation.panels.length === 0) throw new Error("a conversation in this file has no panels");
  return { conversation, renamed };
}

function reply(from: Reply): Reply {
  const end = wholeEnd(from.end);
  return {
    ...newReply(String(from.provider), String(from.model ?? "")),
    content: String(from.content ?? ""),
    reasoning: String(from.reasoning ?? ""),
    refusal: String(from.refusal ?? ""),
    toolCalls: objects(from.toolCalls).map((call) => ({ ...call, name: String(call.name), arguments: String(call.arguments) })),
    sources: objects(from.sources).map(({ url, title, text }) => ({ url: word(url), title: word(title), text: word(text) })),
    end,
    lost: end ? null : { code: String(from.lost?.code ?? "interrupted"), message: String(from.lost?.message ?? UNFINISHED) },
  };
}

const UNFINISHED = "It was exported before it had ended.";

/** A terminal event with all that the page reads of it, or null. */
function wholeEnd(end: PanelEnd | null | undefined): PanelEnd | null {
  if (!isObject(end) || ![end.usage, end.timing, end.message].every(isObject)) return null;
  const { timing, cost } = end;
  const counts = [timing.first_delta_seconds, cost].every((value) => value === null || typeof value === "number");
  return counts && typeof timing.total_seconds === "number" ? end : null;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const word = (value: unknown): string | null => (typeof value === "string" ? value : null);

const objects = <T>(value: readonly T[] | undefined): readonly T[] => list(value).filter(isObject);

const list = <T>(value: readonly T[] | undefined): readonly T[] => (Array.isArray(value) ? value : []);
