/** Takes over what another tab has saved. The tab that asked a question saves its reply; the others only draw it. */

import { followAlong } from "./exchange";
import { isLive } from "./follower";
import type { Conversation, Reply } from "./model";
import type { News } from "./other-tabs";
import { adoptConversation, changeConversation, current, dropConversations, findConversation } from "./store";
import { everyTurn, mapTurns } from "./tree";

export function receiveNews(news: News): void {
  if (news.kind === "deleted") dropConversations(({ id }) => id === news.id);
  else if (news.kind === "emptied") dropConversations(() => true);
  else receiveConversation(news.conversation);
}

function receiveConversation(received: Conversation): void {
  const before = findConversation(received.id);
  const { merged, knewMore } = before ? mergeReplies(received, before) : { merged: received, knewMore: false };
  adoptConversation(merged);
  if (knewMore) changeConversation(received.id, (same) => same); // saves it, which tells the others
  if (received.id === current.value.id) followAlong(merged);
}

/** Return what was received, with the replies of which this tab knows more: those it reads, and those that have ended. */
export function mergeReplies(
  received: Conversation,
  before: Conversation,
): { merged: Conversation; knewMore: boolean } {
  const here = new Map<string, Reply>();
  for (const panel of before.panels) {
    for (const turn of everyTurn(panel.turns)) for (const reply of turn.replies) here.set(reply.id, reply);
  }
  let knewMore = false;
  const better = (reply: Reply): Reply => {
    const own = here.get(reply.id);
    if (own === undefined || reply.end !== null) return reply;
    if (own.end !== null) knewMore = true;
    return own.end !== null || isLive(own) ? own : reply;
  };
  const panels = received.panels.map((panel) => ({
    ...panel,
    turns: mapTurns(panel.turns, (turn) => {
      const replies = turn.replies.map(better);
      return replies.every((reply, place) => reply === turn.replies[place]) ? turn : { ...turn, replies };
    }),
  }));
  return { merged: { ...received, panels }, knewMore };
}
