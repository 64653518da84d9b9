/** Starts the page. */

import { render } from "preact";
import { announce } from "./announce";
import { focusComposer } from "./focus";
import { isBusy, stop, takeUp } from "./exchange";
import { loadProviders } from "./providers";
import { listenToKeys } from "./shortcuts";
import { choosePreferred, conversations, current, readConversations, reopen, save, startConversation } from "./store";
import "./theme";
import { App } from "./view/app";
import { opened } from "./view/dialogs";
import "./style/index.css";

function nextPanel(): void {
  const threads = [...document.querySelectorAll<HTMLElement>(".thread")];
  const now = threads.findIndex((thread) => thread.closest(".panel")?.contains(document.activeElement));
  const next = threads[(now + 1) % threads.length];
  next?.closest(".panel")?.scrollIntoView({ inline: "start", block: "nearest" });
  next?.focus({ preventScroll: true });
}

listenToKeys({
  stopAll: () => {
    if (!isBusy(current.value)) return;
    stop(current.value);
    announce("Stopping");
  },
  newConversation: () => {
    startConversation();
    focusComposer();
  },
  focusComposer,
  nextPanel,
  settings: () => (opened.value = "settings"),
  shortcuts: () => (opened.value = "shortcuts"),
});

addEventListener("pagehide", () => {
  if (isBusy(current.value)) void save(current.value);
});

// A key may have come, or the server: who looks again sees it.
addEventListener("visibilitychange", () => {
  if (!document.hidden) void loadProviders();
});

const providers = loadProviders();
await readConversations();
reopen();
for (const conversation of conversations.value) takeUp(conversation);
const root = document.getElementById("app");
if (root !== null) render(<App />, root); // without waiting for the server: the dialog for its token is part of it
await providers;
choosePreferred();
