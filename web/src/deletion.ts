/** Deletes conversations, and keeps each for ten seconds so that the user can have it back.
 *
 * Rule: a deleted conversation leaves the browser's storage at once. It is kept in memory only, so that closing the page
 * keeps nothing.
 */

import { filesOf, putFile } from "./database";
import { stop } from "./exchange";
import { followerOf } from "./follower";
import { type Conversation, type Reply, replaceReplies } from "./model";
import {
  conversations,
  deleteAllConversations,
  deleteConversation,
  findConversation,
  notify,
  restoreConversation,
} from "./store";
import { texts } from "./texts";
import { dropToast, toast, toasts } from "./toasts";
import { everyTurn } from "./tree";

/** Delete a conversation and stop its replies. */
export function forget(conversation: Conversation): void {
  for (const stream of conversation.streams) followerOf(stream)?.save();
  const latest = findConversation(conversation.id);
  if (latest === undefined) return;
  stop(latest);
  // Read before the deletion begins: IndexedDB runs the transactions of a store in their order.
  const files = filesOf(latest);
  files.catch(() => {}); // restoring says it
  void deleteConversation(latest);
  toast(texts.toast.deleted(latest.title || texts.list.untitled), () => void restore(latest, files));
}

/** Delete all conversations, with those that could be restored. */
export function forgetAll(): void {
  for (const conversation of conversations.value) stop(conversation);
  for (const { id, undo } of toasts.value) if (undo) dropToast(id);
  void deleteAllConversations();
}

async function restore(conversation: Conversation, files: Promise<ReadonlyMap<string, Blob>>): Promise<void> {
  try {
    for (const [id, bytes] of await files) await putFile(id, bytes);
    await restoreConversation(withoutEndedStreams(conversation));
    toast(texts.toast.restored);
  } catch {
    notify(texts.toast.notRestored);
  }
}

/** End the replies of the streams that stopped while the conversation was deleted: no follower writes to them now. */
function withoutEndedStreams(conversation: Conversation): Conversation {
  const running = conversation.streams.filter((stream) => followerOf(stream) !== undefined);
  const stopped = new Set(
    conversation.streams.filter((stream) => !running.includes(stream)).flatMap(({ replies }) => Object.values(replies)),
  );
  const replies = conversation.panels.flatMap((panel) =>
    [...everyTurn(panel.turns)]
      .flatMap((turn) => turn.replies)
      .filter(({ id, end }) => stopped.has(id) && end === null)
      .map((reply): [string, Reply] => [
        panel.id,
        { ...reply, lost: { code: "cancelled", message: texts.toast.stoppedByDeleting } },
      ]),
  );
  return { ...replaceReplies(conversation, new Map(replies)), streams: running };
}
