/** Tells the other tabs of this browser what this one has saved. The tabs share one storage, but not their memory. */

import type { Conversation } from "./model";

export type News =
  | { readonly kind: "changed"; readonly conversation: Conversation }
  | { readonly kind: "deleted"; readonly id: string }
  | { readonly kind: "emptied" };

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("msgmodel");

export function tellOtherTabs(news: News): void {
  channel?.postMessage(news);
}

/** Call `receive` with what another tab has saved; return what ends that. */
export function listenToOtherTabs(receive: (news: News) => void): () => void {
  const listener = (event: MessageEvent<News>): void => receive(event.data);
  channel?.addEventListener("message", listener);
  return () => channel?.removeEventListener("message", listener);
}
