/** Starts the page. */

import { effect } from "@preact/signals";
import { render } from "preact";
import { addPanel } from "./actions";
import { announce } from "./announce";
import { copyText } from "./code";
import { editLast } from "./editing";
import { followAlong, resumeStreams, stop } from "./exchange";
import { focusComposer } from "./focus";
import { saveLiveReplies } from "./follower";
import { isBusy } from "./model";
import { listenToOtherTabs } from "./other-tabs";
import { findProvider, loadModels, loadProviders, mayRun } from "./providers";
import { listenToKeys, setCommands } from "./shortcuts";
import { shownPanel, showPanel, toggleList } from "./shown";
import {
  choosePreferred,
  conversations,
  current,
  followAddress,
  notify,
  readConversations,
  startConversation,
} from "./store";
import "./theme";
import { texts } from "./texts";
import { toast } from "./toasts";
import { receiveNews } from "./together";
import { shownReply } from "./tree";
import { App } from "./view/app";
import { showDialog } from "./view/dialogs";
import { exportEverything } from "./view/list-foot";
import { openPicker } from "./view/picker";
import { settingsShown } from "./view/settings";
import "./style/index.css";

function nextPanel(): void {
  const { length } = current.value.panels;
  if (length > 1) showPanel((shownPanel.value + 1) % length);
  const place = Math.min(shownPanel.value, length - 1);
  document.querySelectorAll(".cell")[place]?.scrollIntoView({ inline: "start", block: "nearest" });
  document.querySelector<HTMLElement>(".thread, .board, .composer textarea")?.focus({ preventScroll: true });
}

async function copyLast(): Promise<void> {
  const turn = current.value.panels[0]?.turns.at(-1);
  const reply = turn && shownReply(turn);
  if (reply?.content) toast((await copyText(reply.content)) ? texts.act.copied : texts.act.notCopied);
}

/** Ask another model about the last reply of the panel that is shown. */
function check(): void {
  const { panels } = current.value;
  const panel = panels[Math.min(shownPanel.value, panels.length - 1)];
  const opener = document.querySelector<HTMLElement>("[data-testid=choose-model], [data-testid=composer]");
  if (!panel?.turns.length || isBusy(current.value) || opener === null) return;
  openPicker(opener, { panelId: panel.id, purpose: "check" });
}

setCommands({
  stop: () => {
    if (!isBusy(current.value)) return;
    stop(current.value);
    announce(texts.spoken.stopping);
  },
  new: () => {
    startConversation();
    focusComposer();
  },
  field: focusComposer,
  nextPanel,
  compare: () => addPanel(),
  who: () => document.querySelector<HTMLElement>("[data-testid=choose-model]:not(:disabled)")?.click(),
  editLast,
  copyLast: () => void copyLast(),
  check,
  list: toggleList,
  settings: () => {
    settingsShown.value = true;
  },
  keys: () => showDialog("help"),
  exportAll: () => void exportEverything(),
  deleteAll: () => showDialog("delete-all"),
});
listenToKeys(() => showDialog("palette"));

addEventListener("pagehide", saveLiveReplies);
addEventListener("popstate", followAddress);

// The server may have started, or got a key, while the user looked elsewhere.
addEventListener("visibilitychange", () => {
  if (!document.hidden) void loadProviders();
});

const providers = loadProviders();
try {
  await readConversations();
} catch {
  notify(texts.list.unreadable);
}
followAddress();
for (const conversation of conversations.value) resumeStreams(conversation);
listenToOtherTabs(receiveNews);
effect(() => followAlong(current.value));
const root = document.getElementById("app");
if (root !== null) render(<App />, root); // before the providers are known: the sign-in page is part of the page
await providers;
choosePreferred();

// A server of the operator's own names no default: what is there can be asked only once its list is known.
const own = current.value.panels.map(({ provider }) => findProvider(provider));
for (const provider of own) {
  if (provider && !provider.default_model && (provider.ready || mayRun(provider))) {
    await loadModels(provider.name);
    choosePreferred();
  }
}
