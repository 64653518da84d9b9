/** The server's own token, asked for when it says 401, and kept as long as the tab. */

import { signal } from "@preact/signals";

const KEY = "msgmodel.token";

let token: string | null = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // storage is switched off
}

export interface Question {
  /** Whether the server did not take the one that it was shown. */
  refused: boolean;
  /** Null: the user has left the dialog. */
  answer: (given: string | null) => void;
}

/** While the dialog is open. */
export const asking = signal<Question | null>(null);

let open: Promise<string | null> | null = null;

/** Asks once, however many requests were refused at the same time. */
function ask(refused: boolean): Promise<string | null> {
  open ??= new Promise<string | null>((resolve) => {
    const answer = (given: string | null): void => {
      asking.value = null;
      open = null;
      resolve(given);
    };
    asking.value = { refused, answer };
  });
  return open;
}

function keep(given: string): void {
  token = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // lasts as long as the page, then
  }
}

function signed(init: RequestInit, value: string | null): RequestInit {
  const headers = new Headers(init.headers);
  if (value) headers.set("authorization", `Bearer ${value}`);
  return { ...init, headers };
}

/** `fetch` with the token; where the server refuses it the user is asked, and the request is sent again. */
export async function authorizedFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const used = token;
    const response = await fetch(input, signed(init, used));
    if (response.status !== 401) return response;
    if (token !== used) continue; // another request has got a new one meanwhile
    const given = await ask(used !== null);
    if (given === null) return response;
    keep(given);
  }
}
