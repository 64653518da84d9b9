/** The server's own token. The user is asked for it after a 401; it is kept until the tab is closed. */

import { signal } from "@preact/signals";

const KEY = "msgmodel.token";

let token: string | null = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // storage is switched off
}

export interface TokenQuestion {
  /** Whether the server has refused a token. */
  refused: boolean;
  /** Called with the token; null if the user closed the dialog. */
  answer: (given: string | null) => void;
}

/** The question of the open dialog; null if none is open. */
export const tokenQuestion = signal<TokenQuestion | null>(null);

let pendingAnswer: Promise<string | null> | null = null;

/** Ask the user once, even if several requests were refused at the same time. */
function askForToken(refused: boolean): Promise<string | null> {
  pendingAnswer ??= new Promise<string | null>((resolve) => {
    const answer = (given: string | null): void => {
      tokenQuestion.value = null;
      pendingAnswer = null;
      resolve(given);
    };
    tokenQuestion.value = { refused, answer };
  });
  return pendingAnswer;
}

function storeToken(given: string): void {
  token = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // without storage, it is kept until the page is closed
  }
}

function withToken(init: RequestInit, value: string | null): RequestInit {
  const headers = new Headers(init.headers);
  if (value) headers.set("authorization", `Bearer ${value}`);
  return { ...init, headers };
}

/** Like `fetch`, with the token. If the server refuses it, ask the user and send the request again. */
export async function authorizedFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const used = token;
    const response = await fetch(input, withToken(init, used));
    if (response.status !== 401) return response;
    if (token !== used) continue; // another request has brought a new one meanwhile
    const given = await askForToken(used !== null);
    if (given === null) return response;
    storeToken(given);
  }
}
