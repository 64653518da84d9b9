/** Asks the server, and resumes the streams that ran when the page was left. */

import { type PanelRequest, resumeStream, streamPanels } from "msgmodel-client";
import { announce } from "./announce";
import { Follower, followerOf } from "./follower";
import { addReply, type Conversation, newId, type Question, questionsOf, type Stream } from "./model";
import { requestBody } from "./request";
import { changeConversation, findConversation, touch } from "./store";

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

function follow(conversationId: string, stream: Stream, questions: readonly Question[]): Follower {
  return new Follower(conversationId, stream, new Map(questions.map(({ panel, reply }) => [panel.id, reply])));
}

async function send(conversationId: string, stream: Stream, follower: Follower): Promise<void> {
  const conversation = findConversation(conversationId);
  if (conversation === undefined) return follower.finish(null);
  let request: PanelRequest;
  try {
    request = await requestBody(conversation, stream);
  } catch (error) {
    follower.finish({ code: "invalid_request", message: (error as Error).message });
    return;
  }
  await follower.read((options) => streamPanels(PANELS, request, { ...options, idempotencyKey: stream.key }));
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

/** End the reply of one panel, or of all panels that the conversation waits for. */
export function stop(conversation: Conversation, panelId?: string): void {
  for (const stream of conversation.streams) {
    if (panelId === undefined || panelId in stream.replies) void followerOf(stream)?.stop(panelId);
  }
}
