/** Asks the server, and resumes the streams that ran when the page was left. */

import { type PanelRequest, resumeStream, streamPanels } from "msgmodel-client";
import { announce } from "./announce";
import { Follower, followerOf } from "./follower";
import { type Conversation, newId, type Question, questionsOf, type Stream } from "./model";
import { requestBody } from "./request";
import { changeConversation, findConversation, touch } from "./store";
import { addReply } from "./tree";

const PANELS = "v1/panels"; // relative to the page, which may be mounted below another path
const ASK_AGAIN_WITHIN = 60_000; // ms; after that, a question without an answer is not sent again automatically

/** Add a reply to each of the questions' panels, and ask for all of them at once. */
export async function ask(conversationId: string, questions: readonly Question[]): Promise<void> {
  const stream: Stream = {
    id: null,
    key: newId(),
    askedAt: Date.now(),
    replies: Object.fromEntries(questions.map(({ panel, reply }) => [panel.id, reply.id])),
  };
  const follower = follow(conversationId, stream, questions);
  changeConversation(conversationId, (before) => ({
    ...touch(before),
    streams: [...before.streams, stream],
    panels: before.panels.map((panel) => {
      const question = questions.find((other) => other.panel.id === panel.id);
      return question ? addReply(panel, question.turn, question.reply) : panel;
    }),
  }));
  announce(questions.length > 1 ? `${questions.length} panels are answering` : "Waiting for the reply");
  await send(conversationId, stream, follower);
}

function follow(conversationId: string, stream: Stream, questions: readonly Question[], guest = false): Follower {
  const replies = new Map(questions.map(({ panel, reply }) => [panel.id, reply]));
  return new Follower(conversationId, stream, replies, guest);
}

async function send(conversationId: string, stream: Stream, follower: Follower): Promise<void> {
  const conversation = findConversation(conversationId);
  if (conversation === undefined) return follower.finish(null);
  const isShared = Object.keys(stream.replies).length > 1;
  let request: PanelRequest;
  try {
    request = await requestBody(conversation, stream);
  } catch (error) {
    if (isShared && follower.release()) return askSeparately(conversationId, stream);
    follower.finish({ code: "invalid_request", message: (error as Error).message });
    return;
  }
  await follower.read(
    (options) => streamPanels(PANELS, request, { ...options, idempotencyKey: stream.key }),
    isShared ? () => askSeparately(conversationId, stream) : null,
  );
}

/** Ask each panel in a stream of its own. For one that can't be asked, as with a file that its provider does not take,
 * the server refuses all panels of a request. */
async function askSeparately(conversationId: string, refused: Stream): Promise<void> {
  const conversation = findConversation(conversationId);
  if (conversation === undefined) return;
  const asked = questionsOf(conversation, refused).map((question) => {
    const replies = { [question.panel.id]: question.reply.id };
    const stream: Stream = { id: null, key: newId(), askedAt: Date.now(), replies };
    return { stream, follower: follow(conversationId, stream, [question]) };
  });
  changeConversation(conversationId, (before) => ({
    ...before,
    streams: [...before.streams.filter(({ key }) => key !== refused.key), ...asked.map(({ stream }) => stream)],
  }));
  await Promise.all(asked.map(({ stream, follower }) => send(conversationId, stream, follower)));
}

/** Resume the conversation's streams after a reload. */
export function resumeStreams(conversation: Conversation): void {
  for (const stream of conversation.streams) {
    const questions = questionsOf(conversation, stream);
    const follower = follow(conversation.id, stream, questions);
    const { id } = stream;
    if (questions.every(({ reply }) => reply.end !== null)) follower.finish(null);
    else if (id !== null) void follower.read((options) => resumeStream(PANELS, id, options));
    else if (Date.now() - stream.askedAt < ASK_AGAIN_WITHIN) void send(conversation.id, stream, follower);
    else follower.finish({ code: "interrupted", message: "The page was left before the server had answered." });
  }
}

/** The streams of other tabs that this one has followed, by their keys: each once, even if that failed. */
const followedAlong = new Set<string>();

/** Draw the streams that another tab has begun as they come; that tab saves them. */
export function followAlong(conversation: Conversation): void {
  for (const stream of conversation.streams) {
    const { id } = stream;
    if (id === null || followerOf(stream) || followedAlong.has(stream.key)) continue;
    followedAlong.add(stream.key);
    const follower = follow(conversation.id, stream, questionsOf(conversation, stream), true);
    void follower.read((options) => resumeStream(PANELS, id, options));
  }
}

/** End the reply of one panel, or of all panels that the conversation waits for. */
export function stop(conversation: Conversation, panelId?: string): void {
  for (const stream of conversation.streams) {
    if (panelId === undefined || panelId in stream.replies) void followerOf(stream)?.stop(panelId);
  }
}
