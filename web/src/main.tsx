/** Starts the page. */

import { render } from "preact";
import { announce } from "./announce";
import { resumeStreams, stop } from "./exchange";
import { focusComposer } from "./focus";
import { saveLiveReplies } from "./follower";
import { isBusy } from "./model";
import { loadProviders } from "./providers";
import { listenToKeys } from "./shortcuts";
import {
  choosePreferred,
  conversations,
  current,
  readConversations,
  reopenConversation,
  startConversation,
} from "./store";
import "./theme";
import { App } from "./view/app";
import { showDialog } from "./view/dialogs";
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
  settings: () => showDialog("settings"),
  shortcuts: () => showDialog("shortcuts"),
});

addEventListener("pagehide", saveLiveReplies);

// The server may have started, or got a key, while the user looked elsewhere.
addEventListener("visibilitychange", () => {
  if (!document.hidden) void loadProviders();
});

const providers = loadProviders();
await readConversations();
reopenConversation();
for (const conversation of conversations.value) resumeStreams(conversation);
const root = document.getElementById("app");
if (root !== null) render(<App />, root); // before the providers are known: the dialog for the server's token is part of the page
await providers;
choosePreferred();
