// @vitest-environment jsdom

// A component shows a change without being told of it: signals and immutable data are enough.

import { type FunctionComponent, h, render } from "preact";
import { beforeEach, expect, test, vi } from "vitest";
import { changeSettings, choose } from "../src/actions";
import { isBusy, newTurn } from "../src/model";
import {
  changeConversation,
  current,
  deleteAllConversations,
  deleteConversation,
  renameConversation,
} from "../src/store";
import { addReply } from "../src/tree";
import { Composer } from "../src/view/composer";
import { Sidebar } from "../src/view/sidebar";
import { PanelTabs } from "../src/view/tabs";
import { answered, ended, final } from "./support";

let host: HTMLElement;
beforeEach(async () => {
  await deleteAllConversations();
  host = document.createElement("div");
  document.body.replaceChildren(host);
  return () => render(null, host);
});

const draw = <P extends object>(component: FunctionComponent<P>, props: P): void => render(h(component, props), host);
const texts = (testId: string): (string | null)[] =>
  [...host.querySelectorAll(`[data-testid=${testId}]`)].map(({ textContent }) => textContent);

function askHere(): string {
  const { id } = current.value;
  const reply = ended(final("p", "Hi."));
  changeConversation(id, (before) => ({
    ...before,
    title: "one",
    panels: before.panels.map((panel) => addReply(panel, newTurn("typed", "one"), reply)),
  }));
  return id;
}

test("the list of conversations follows every change", async () => {
  draw(Sidebar, { shown: false, onHide: () => {} });
  expect(texts("history-item")).toEqual([]);
  const id = askHere();
  await vi.waitFor(() => expect(texts("history-item")).toEqual(["one"]));
  renameConversation(id, "two");
  await vi.waitFor(() => expect(texts("history-item")).toEqual(["two"]));
  const stream = { id: null, key: "k", askedAt: 0, replies: {} };
  changeConversation(id, (before) => ({ ...before, streams: [stream] }));
  await vi.waitFor(() =>
    expect(host.querySelector("[data-testid=history-item] .glyph[data-ending=streaming]")).not.toBeNull(),
  );
  await deleteConversation(current.value);
  await vi.waitFor(() => expect(texts("history-item")).toEqual([]));
});

test("the tabs follow the panels and their providers", async () => {
  draw(PanelTabs, { shown: 0, onShow: () => {} });
  const { panels } = answered(ended(final("p", "")), ended(final("q", "")));
  changeConversation(current.value.id, (before) => ({ ...before, panels }));
  await vi.waitFor(() => expect(texts("panel-tab")).toEqual(["OpenAI12 s", "OpenAI12 s"]));
  choose(panels[1]?.id ?? "", { provider: "gemini" });
  await vi.waitFor(() => expect(texts("panel-tab")).toEqual(["OpenAI12 s", "Google12 s"]));
});

test("the composer offers Stop while a reply is running, and settings do not disturb it", async () => {
  draw(Composer, {});
  const id = askHere();
  const stream = { id: null, key: "k", askedAt: 0, replies: {} };
  changeConversation(id, (before) => ({ ...before, streams: [stream] }));
  await vi.waitFor(() => expect(host.querySelector("[data-testid=stop-all]")).not.toBeNull());
  changeSettings({ system: "Be short." });
  expect([isBusy(current.value), current.value.settings.system]).toEqual([true, "Be short."]);
  changeConversation(id, (before) => ({ ...before, streams: [] }));
  await vi.waitFor(() => expect(host.querySelector("[data-testid=send]")).not.toBeNull());
});
