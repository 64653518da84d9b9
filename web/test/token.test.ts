// @vitest-environment jsdom

import { beforeEach, expect, test, vi } from "vitest";

const KEY = "msgmodel.token";

beforeEach(() => {
  sessionStorage.clear();
  localStorage.clear();
  vi.resetModules();
  return () => vi.unstubAllGlobals();
});

/** Load the page's module as a new tab does, before a server that knows one token. */
async function openTab() {
  const token = await import("../src/token");
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    const known = new Headers(init.headers).get("authorization") === "Bearer right";
    return new Response(null, { status: known ? 200 : 401 });
  });
  return token;
}

test.each([true, false])("a token is kept on the device only if the user agrees: %s", async (remember) => {
  const { authorizedFetch, signedIn, tokenQuestion } = await openTab();
  const answer = authorizedFetch("v1/providers");
  await vi.waitFor(() => expect(tokenQuestion.value?.refused).toBeNull());
  tokenQuestion.value?.answer({ token: "wrong", remember: true });
  await vi.waitFor(() => expect(tokenQuestion.value?.refused).toEqual({ token: "wrong", remember: true }));
  tokenQuestion.value?.answer({ token: "right", remember });
  expect((await answer).status).toBe(200);
  expect(signedIn.value).toBe(true);
  expect([sessionStorage.getItem(KEY), localStorage.getItem(KEY)]).toEqual(["right", remember ? "right" : null]);

  sessionStorage.clear(); // the tab is closed
  vi.resetModules();
  const later = await openTab();
  const asked = later.authorizedFetch("v1/providers");
  if (remember) expect((await asked).status).toBe(200);
  else await vi.waitFor(() => expect(later.tokenQuestion.value).not.toBeNull());
});

test("signing out forgets it everywhere", async () => {
  localStorage.setItem(KEY, "right");
  const { authorizedFetch, signedIn, signOut, tokenQuestion } = await openTab();
  expect([(await authorizedFetch("v1/providers")).status, signedIn.value]).toEqual([200, true]);
  signOut();
  expect([sessionStorage.getItem(KEY), localStorage.getItem(KEY), signedIn.value]).toEqual([null, null, false]);
  void authorizedFetch("v1/providers");
  await vi.waitFor(() => expect(tokenQuestion.value?.refused).toBeNull());
});
