/** Conversations and files in the browser's own IndexedDB; the server keeps none of it.
 *
 * Where there is none (some private windows) they are kept as long as the page, and `lasting` says so.
 */

import { signal } from "@preact/signals";
import type { Conversation } from "./model";

export const lasting = signal(true);

type Store = "conversations" | "files";

const memory: Record<Store, Map<string, unknown>> = { conversations: new Map(), files: new Map() };

const opened: Promise<IDBDatabase | null> = new Promise<IDBDatabase | null>((resolve) => {
  const failed = (): void => {
    lasting.value = false;
    resolve(null);
  };
  try {
    const request = indexedDB.open("msgmodel", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("conversations", { keyPath: "id" });
      request.result.createObjectStore("files");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = request.onblocked = failed;
  } catch {
    failed();
  }
});

async function run<T>(
  store: Store,
  mode: IDBTransactionMode,
  act: (store: IDBObjectStore) => IDBRequest,
  instead: (map: Map<string, unknown>) => T,
): Promise<T> {
  const database = await opened;
  if (database === null) return instead(memory[store]);
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result as T);
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser's storage is full or switched off"));
  });
}

export const allConversations = (): Promise<Conversation[]> =>
  run(
    "conversations",
    "readonly",
    (store) => store.getAll(),
    (map) => [...map.values()] as Conversation[],
  );

export const putConversation = async (conversation: Conversation): Promise<void> => {
  await run<unknown>(
    "conversations",
    "readwrite",
    (store) => store.put(conversation),
    (map) => map.set(conversation.id, conversation),
  );
};

export const putFile = async (id: string, bytes: Blob): Promise<void> => {
  await run<unknown>(
    "files",
    "readwrite",
    (store) => store.put(bytes, id),
    (map) => map.set(id, bytes),
  );
};

export const getFile = (id: string): Promise<Blob | undefined> =>
  run(
    "files",
    "readonly",
    (store) => store.get(id),
    (map) => map.get(id) as Blob | undefined,
  );

async function remove(store: Store, id: string): Promise<void> {
  await run<unknown>(
    store,
    "readwrite",
    (entries) => entries.delete(id),
    (map) => map.delete(id),
  );
}

const filesOf = (conversation: Conversation): string[] =>
  conversation.panels.flatMap((panel) => panel.turns.flatMap((turn) => turn.files.map((file) => file.id)));

/** Removes a conversation and the files that only it has. */
export async function removeConversation(conversation: Conversation): Promise<void> {
  await remove("conversations", conversation.id);
  for (const id of new Set(filesOf(conversation))) await remove("files", id);
}

export async function removeEverything(): Promise<void> {
  for (const store of ["conversations", "files"] as const) {
    await run<unknown>(
      store,
      "readwrite",
      (entries) => entries.clear(),
      (map) => map.clear(),
    );
  }
}
