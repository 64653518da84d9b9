/** The address of the open conversation: `#/c/<id>`. A hash needs no route at the server, and works below any path. */

/** Return the address of a conversation, relative to the page. */
export const addressOf = (id: string): string => `#/c/${id}`;

/** Return the id of the conversation in the page's address; null if there is none. */
export const idInAddress = (): string | null => /^#\/c\/([\w-]{1,64})$/.exec(location.hash)?.[1] ?? null;

/** Write the address of a conversation, or that of the page alone; `replace`: without an entry of its own in "back". */
export function writeAddress(id: string | null, replace = false): void {
  if (id === idInAddress()) return;
  const address = location.href.replace(/#.*$/, "") + (id === null ? "" : addressOf(id));
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}
