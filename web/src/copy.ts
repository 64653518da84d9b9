/** Copies a conversation with new ids, and only what the page knows: it may come from a file that anybody has written. */

import {
  type Branch,
  type Conversation,
  NO_SETTINGS,
  newId,
  newReply,
  type Panel,
  type PanelEnd,
  type PanelPart,
  type Reply,
  type Settings,
  type ToolStep,
  type Turn,
} from "./model";

interface Copy {
  readonly conversation: Conversation;
  /** The earlier ids of the files, by their new ones. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** Return a copy, without streams, which belong to the browser that began them. Throws if there is no panel. */
export function copyConversation(given: Conversation): Copy {
  const renamed = new Map<string, string>();
  const branch = (turns: Branch | undefined): Turn[] => itemsIn(turns).map(turn);
  const turn = (from: Turn): Turn => {
    const replies = itemsIn(from.replies).map((reply) => ({ before: String(reply.id), copy: copyReply(reply) }));
    const newReplyId = (id: unknown): string | undefined => replies.find(({ before }) => before === id)?.copy.id;
    const shown = newReplyId(from.shown);
    const after = Object.entries(from.after ?? {}).flatMap(([id, followers]) => {
      const found = newReplyId(id);
      return found === undefined ? [] : [[found, branch(followers)] as const];
    });
    const versions = itemsIn(from.versions)
      .map((version) => branch(version))
      .filter(({ length }) => length > 0);
    return {
      id: newId(),
      kind: KINDS.find((kind) => kind === from.kind) ?? "typed",
      decisions: objectsIn(from.decisions).map(({ callId, approve }) => ({
        callId: String(callId),
        approve: approve === true,
      })),
      text: String(from.text ?? ""),
      files: itemsIn(from.files).map((file) => {
        const id = newId();
        renamed.set(id, String(file.id));
        return { id, name: String(file.name), type: String(file.type), size: Number(file.size) || 0 };
      }),
      replies: replies.map(({ copy }) => copy),
      ...(typeof from.askedAt === "number" && { askedAt: from.askedAt }),
      ...(typeof from.round === "string" && { round: from.round }),
      ...(shown !== undefined && { shown }),
      ...(after.length > 0 && { after: Object.fromEntries(after) }),
      ...(versions.length > 0 && {
        versions,
        place: Math.min(versions.length, Math.max(0, Math.floor(Number(from.place)) || 0)),
      }),
    };
  };
  const panel = (from: Panel): Panel => ({
    id: newId(),
    provider: String(from.provider),
    model: String(from.model ?? ""),
    turns: branch(from.turns),
    ...(typeof from.settings === "object" && from.settings && { settings: copySettings(from.settings) }),
  });
  const conversation: Conversation = {
    id: newId(),
    title: String(given.title ?? ""),
    createdAt: Number(given.createdAt) || Date.now(),
    updatedAt: Number(given.updatedAt) || Date.now(),
    panels: itemsIn(given.panels).slice(0, 8).map(panel),
    settings: { ...NO_SETTINGS, ...copySettings(given.settings ?? {}) },
    streams: [],
    ...(given.pinned === true && { pinned: true }),
  };
  if (conversation.panels.length === 0) throw new Error("a conversation in the file has no panels");
  return { conversation, renamed };
}

/** Return the settings that are of their type. */
export function copySettings(from: Partial<Settings>): Partial<Settings> {
  const numbers = Object.fromEntries(
    (["maxTokens", "temperature", "maxCost"] as const).flatMap((name) =>
      typeof from[name] === "number" || from[name] === null ? [[name, from[name]]] : [],
    ),
  );
  const reasoning = (["", "none", "low", "medium", "high"] as const).find((level) => level === from.reasoning);
  return {
    ...(typeof from.system === "string" && { system: from.system }),
    ...numbers,
    ...(reasoning !== undefined && { reasoning }),
  };
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
    sources: objectsIn(from.sources).map(({ url, title, text, end }) => ({
      url: stringOrNull(url),
      title: stringOrNull(title),
      text: stringOrNull(text),
      ...(Number.isInteger(end) && { end: Number(end) }),
    })),
    parts: objectsIn(from.parts).flatMap(copyPart),
    toolRuns: objectsIn(from.toolRuns).map((run) => ({
      id: String(run.id),
      name: String(run.name),
      status: run.status === "done" || run.status === "failed" ? run.status : "started",
      input: run.input ?? null,
      output: stringOrNull(run.output),
    })),
    ...(Array.isArray(from.steps) && { steps: objectsIn(from.steps).map(copyStep) }),
    end,
    lost: end
      ? null
      : { code: String(from.lost?.code ?? "interrupted"), message: String(from.lost?.message ?? UNFINISHED) },
  };
}

const OUTCOMES = ["done", "failed", "refused", "not_run", "unknown"] as const;

function copyStep({ id, name, call, result }: ToolStep): ToolStep {
  const status = OUTCOMES.find((known) => known === result?.status) ?? "unknown";
  const own = { id: String(id), name: String(name) };
  const given = isObject(call)
    ? { arguments: String(call.arguments), arguments_json: call.arguments_json ?? null }
    : null;
  return {
    ...own,
    call: given && { ...own, ...given, complete: call?.complete === true },
    progress: "",
    pending: null,
    result: isObject(result)
      ? {
          ...own,
          status,
          result: result.result ?? null,
          error: stringOrNull(result.error),
          seconds: Number(result.seconds) || 0,
        }
      : null,
  };
}

const KINDS = ["continue", "resume", "decide"] as const;
const MEDIA_KINDS = ["image", "audio", "video", "document", "file"] as const;

function copyPart(part: PanelPart): PanelPart[] {
  const kind = MEDIA_KINDS.find((known) => known === part.kind);
  if (kind === undefined) return [];
  const texts = Object.fromEntries(
    (["data", "url", "file_id", "name", "text"] as const).flatMap((name) =>
      typeof part[name] === "string" ? [[name, part[name]]] : [],
    ),
  );
  const size = typeof part.size === "number" ? part.size : null;
  const copy = { id: String(part.id), kind, media_type: stringOrNull(part.media_type), size };
  return [{ event: "panel_part", panel_id: "", ...copy, complete: part.complete === true, ...texts }];
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
