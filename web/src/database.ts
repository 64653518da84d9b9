/** Conversations and files in the browser's IndexedDB; the server stores none of them.
 *
 * Without IndexedDB (in some private windows) they are kept in memory until the page is closed, and `isPersistent` is
 * false.
 */

import { signal } from "@preact/signals";
import type { Conversation } from "./model";
import { attachmentsOf } from "./tree";

export const isPersistent = signal(true);

type Store = "conversations" | "files";

const inMemory: Record<Store, Map<string, unknown>> = { conversations: new Map(), files: new Map() };

const database: Promise<IDBDatabase | null> = new Promise<IDBDatabase | null>((resolve) => {
  const fallBack = (): void => {
    isPersistent.value = false;
    resolve(null);
  };
  try {
    const request = indexedDB.open("msgmodel", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("conversations", { keyPath: "id" });
      request.result.createObjectStore("files");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = fallBack;
    request.onblocked = fallBack;
  } catch {
    fallBack();
  }
});

async function runTransaction<T>(
  store: Store,
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest,
  fallback: (map: Map<string, unknown>) => T,
): Promise<T> {
  const opened = await database;
  if (opened === null) return fallback(inMemory[store]);
  return new Promise((resolve, reject) => {
    const transaction = opened.transaction(store, mode);
    const request = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result as T);
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser's storage is full or switched off"));
  });
}

export const allConversations = (): Promise<Conversation[]> =>
  runTransaction(
    "conversations",
    "readonly",
    (store) => store.getAll(),
    (map) => [...map.values()] as Conversation[],
  );

export const putConversation = async (conversation: Conversation): Promise<void> => {
  await runTransaction<unknown>(
    "conversations",
    "readwrite",
    (store) => store.put(conversation),
    (map) => map.set(conversation.id, conversation),
  );
};

export const putFile = async (id: string, bytes: Blob): Promise<void> => {
  await runTransaction<unknown>(
    "files",
    "readwrite",
    (store) => store.put(bytes, id),
    (map) => map.set(id, bytes),
  );
};

export const getFile = (id: string): Promise<Blob | undefined> =>
  runTransaction(
    "files",
    "readonly",
    (store) => store.get(id),
    (map) => map.get(id) as Blob | undefined,
  );

async function remove(store: Store, id: string): Promise<void> {
  await runTransaction<unknown>(
    store,
    "readwrite",
    (entries) => entries.delete(id),
    (map) => map.delete(id),
  );
}

/** Return the files of a conversation that are in the storage, by id. */
export async function filesOf(conversation: Conversation): Promise<ReadonlyMap<string, Blob>> {
  const ids = [...new Set(attachmentsOf(conversation).map((file) => file.id))];
  const found = await Promise.all(ids.map(async (id) => [id, await getFile(id)] as const));
  return new Map(found.filter((entry): entry is [string, Blob] => entry[1] !== undefined));
}

/** Remove a conversation and its files. */
export async function removeConversation(conversation: Conversation): Promise<void> {
  await remove("conversations", conversation.id);
  for (const { id } of attachmentsOf(conversation)) await remove("files", id);
}

export async function removeEverything(): Promise<void> {
  for (const store of ["conversations", "files"] as const) {
    await runTransaction<unknown>(
      store,
      "readwrite",
      (entries) => entries.clear(),
      (map) => map.clear(),
    );
  }
}
