/** The server's own token. The user is asked for it after a 401.
 *
 * Rule: it is kept until the tab is closed, and longer only if the user has agreed to that.
 */

import { signal } from "@preact/signals";

const KEY = "msgmodel.token";

let token: string | null = null;
/** Whether the token is kept on the device. */
let remembered = false;
try {
  token = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
  remembered = token !== null && localStorage.getItem(KEY) === token;
} catch {
  // storage is switched off
}

/** Whether the page sends a token, so that the user can sign out. */
export const signedIn = signal(token !== null);

export interface GivenToken {
  readonly token: string;
  /** Whether to keep it on this device when the tab is closed. */
  readonly remember: boolean;
}

export interface TokenQuestion {
  /** The token that the server has refused; null if it has refused none. */
  refused: GivenToken | null;
  /** Called with the token; null if the user closed the dialog. */
  answer: (given: GivenToken | null) => void;
}

/** The question of the open dialog; null if none is open. */
export const tokenQuestion = signal<TokenQuestion | null>(null);

let pendingAnswer: Promise<GivenToken | null> | null = null;

/** Ask the user once, even if several requests were refused at the same time. */
function askForToken(refused: GivenToken | null): Promise<GivenToken | null> {
  pendingAnswer ??= new Promise<GivenToken | null>((resolve) => {
    const answer = (given: GivenToken | null): void => {
      tokenQuestion.value = null;
      pendingAnswer = null;
      resolve(given);
    };
    tokenQuestion.value = { refused, answer };
  });
  return pendingAnswer;
}

function storeToken(given: GivenToken): void {
  token = given.token;
  remembered = given.remember;
  signedIn.value = true;
  try {
    sessionStorage.setItem(KEY, given.token);
    if (given.remember) localStorage.setItem(KEY, given.token);
    else localStorage.removeItem(KEY); // one that was refused, or that the user no longer wants to be kept
  } catch {
    // without storage, it is kept until the page is closed
  }
}

/** Forget the token here and on this device. */
export function signOut(): void {
  token = null;
  signedIn.value = false;
  try {
    sessionStorage.removeItem(KEY);
    localStorage.removeItem(KEY);
  } catch {
    // without storage, it was kept nowhere else
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
    const given = await askForToken(used === null ? null : { token: used, remember: remembered });
    if (given === null) return response;
    storeToken(given);
  }
}
