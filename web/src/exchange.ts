/** Asks the server, and takes up what was running when the page was left. */

import { type PanelRequest, resumeStream, streamPanels } from "msgmodel-client";
import { announce } from "./announce";
import { Follower, isLive } from "./follower";
import { type Conversation, type Stream, newId } from "./model";
import { type Asked, requestBody } from "./request";
import { changed, save, used } from "./store";

const PANELS = "v1/panels"; // seen from the page, which may be mounted below another path
const ASK_AGAIN_WITHIN = 60_000; // ms: after that a question that got no answer is not repeated by itself

const followers = new WeakMap<Stream, Follower>();

export const isBusy = (conversation: Conversation): boolean => conversation.streams.length > 0;

/** Adds a reply for each of the panels and asks for all of them at once. */
export async function ask(conversation: Conversation, asked: Asked[]): Promise<void> {
  const stream: Stream = {
    id: null,
    key: newId(),
    askedAt: Date.now(),
    replies: Object.fromEntries(asked.map(({ panel, reply }) => [panel.id, reply.id])),
  };
  for (const { turn, reply } of asked) turn.replies.push(reply);
  conversation.streams.push(stream);
  used(conversation);
  const follower = follow(conversation, stream, asked);
  changed();
  void save(conversation);
  announce(asked.length > 1 ? `${asked.length} panels are answering` : "Waiting for the reply");
  await put(conversation, asked, stream, follower);
}

function follow(conversation: Conversation, stream: Stream, asked: Asked[]): Follower {
  const replies = new Map(asked.map(({ panel, reply }) => [panel.id, reply]));
  const follower = new Follower(conversation, stream, replies);
  followers.set(stream, follower);
  return follower;
}

async function put(conversation: Conversation, asked: Asked[], stream: Stream, follower: Follower): Promise<void> {
  let request: PanelRequest;
  try {
    request = await requestBody(conversation, asked);
  } catch (error) {
    follower.over({ code: "invalid_request", message: (error as Error).message });
    return;
  }
  await follower.read((options) => streamPanels(PANELS, request, { ...options, idempotencyKey: stream.key }));
}

/** Goes on with the conversation's streams, after a reload. */
export function takeUp(conversation: Conversation): void {
  for (const stream of [...conversation.streams]) {
    const asked = findAsked(conversation, stream);
    if (asked.some(({ reply }) => isLive(reply))) continue;
    const follower = follow(conversation, stream, asked);
    const { id } = stream;
    if (asked.every(({ reply }) => reply.end !== null)) follower.over(null);
    else if (id !== null) void follower.read((options) => resumeStream(PANELS, id, options));
    else if (Date.now() - stream.askedAt < ASK_AGAIN_WITHIN) void put(conversation, asked, stream, follower);
    else follower.over({ code: "interrupted", message: "The page was left before the server had answered." });
  }
  changed();
}

function findAsked(conversation: Conversation, stream: Stream): Asked[] {
  return conversation.panels.flatMap((panel) =>
    panel.turns.flatMap((turn) =>
      turn.replies.filter(({ id }) => id === stream.replies[panel.id]).map((reply) => ({ panel, turn, reply })),
    ),
  );
}

/** Ends one panel's reply, or all that the conversation waits for. */
export function stop(conversation: Conversation, panelId?: string): void {
  for (const stream of conversation.streams) {
    if (panelId === undefined || panelId in stream.replies) void followers.get(stream)?.stop(panelId);
  }
}
