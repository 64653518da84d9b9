/** What is open, typed or under way in a scene: the parts of the page around a conversation. */

import { putFile } from "../src/database";
import * as draft from "../src/draft";
import { type Conversation, newConversation, newPanel, newTurn, type Reply } from "../src/model";
import { loadModels, service } from "../src/providers";
import { setCommands } from "../src/shortcuts";
import { changeConversation, conversations, current, notify, openConversation } from "../src/store";
import { toast } from "../src/toasts";
import { tokenQuestion } from "../src/token";
import { showDialog } from "../src/view/dialogs";
import { query } from "../src/view/sidebar";
import { ended, failed, final, TEXT } from "./replies";

const frame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));

/** Wait until the page has drawn what was changed. */
export async function drawn(): Promise<void> {
  await frame();
  await frame();
}

/** Wait for an element, for five seconds at most. */
async function find(selector: string): Promise<HTMLElement> {
  for (let count = 0; count < 300; count += 1) {
    const found = [...document.querySelectorAll<HTMLElement>(selector)].findLast((one) => one.checkVisibility());
    if (found) return found;
    await frame();
  }
  throw new Error(`${selector} does not appear`);
}

/** Press one button after the other. */
export const press =
  (...testIds: readonly string[]) =>
  async (): Promise<void> => {
    for (const testId of testIds) {
      const found = await find(`[data-testid=${testId}]`);
      (found.querySelector("summary") ?? found).click();
    }
  };

/** Wait for what is drawn late, such as a formula. */
export const wait = (selector: string) => async (): Promise<void> => void (await find(selector));

const DAY = 24 * 3_600_000;

const LISTED: readonly (readonly [string, number, Reply, number])[] = [
  ["Explain a hash map", 0, ended(final(TEXT, { status: "truncated", truncated_in: "text" })), 3],
  ["Why is the sea salty?", 0, ended(final(TEXT)), 4],
  ["Why does this cache never expire its oldest entries?", 0, ended(failed("interrupted", TEXT)), 1],
  ["Rye bread, half the recipe", 1, ended(final(TEXT)), 1],
  ["SQL: last order of each customer", 1, ended(final(TEXT)), 2],
  ["Four days in Tallinn in May", 4, ended(final(TEXT)), 1],
  ["Names for a sailing boat", 5, ended(failed("cancelled", TEXT)), 1],
  ["Tax on a rented garage", 6, ended(final("", { status: "filtered", refusal: "I can't advise on that." })), 4],
  ["ملوحة البلطيق", 40, ended(final(TEXT)), 1],
];

/** Fill the list of conversations, and keep the one that is open. */
export function fillList(): void {
  const { id } = current.value;
  const listed = LISTED.map(([title, days, reply, count], place): Conversation => {
    const at = Date.now() - days * DAY - place * 1000;
    const turn = { ...newTurn("typed", title), replies: [reply] };
    const panels = Array.from({ length: count }, () => ({ ...newPanel("openai", "gpt-6-luna"), turns: [turn] }));
    return { ...newConversation(panels), title, createdAt: at, updatedAt: at };
  });
  const pinned = {
    ...newConversation([{ ...newPanel("openai"), turns: [newTurn("typed", "Release")] }]),
    pinned: true,
  };
  conversations.value = [...conversations.value, { ...pinned, title: "Release checklist" }, ...listed];
  openConversation(id);
}

const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" width="240" height="180"><rect width="240" height="180" fill="#fff"/>
<path d="M20 20v140h200" fill="none" stroke="#757d76" stroke-width="3"/>
<path d="M40 30c0 60 20 50 90 60s50 40 70 60" fill="none" stroke="#0b7d63" stroke-width="5"/></svg>`;

/** Attach a picture and a document, of which one panel takes neither. */
export async function attachFiles(): Promise<void> {
  await putFile("profile", new Blob([PICTURE], { type: "image/svg+xml" }));
  await putFile("report", new Blob(["%PDF"], { type: "application/pdf" }));
  const types = { "image/svg+xml": 1e7, "application/pdf": 1e7 };
  service.value = { ...service.value, files: { chat: { text: 1e6, types: {} }, other: { text: 1e6, types } } };
  draft.files.value = [
    { id: "profile", name: "gotland-ctd.svg", type: "image/svg+xml", size: 184_000 },
    { id: "report", name: "cruise-report-2026-with-a-very-long-name.pdf", type: "application/pdf", size: 2_100_000 },
  ];
  draft.text.value = "What do these two say about the step at 70 m?";
  await find(".thumb img");
}

/** Answer from here which models a provider has; the gallery has no server. */
export function listModels(): void {
  const listed: Readonly<Record<string, readonly (readonly [string, number, number, number])[]>> = {
    openai: [
      ["gpt-6-luna", 0.15, 0.6, 400_000],
      ["gpt-6-luna-mini", 0.05, 0.2, 400_000],
      ["gpt-6-sol", 1.25, 10, 400_000],
    ],
    anthropic: [
      ["claude-haiku-5-5", 0.8, 4, 200_000],
      ["claude-opus-5-5-with-a-very-long-name-of-a-preview", 5, 25, 1_000_000],
    ],
    gemini: [["gemini-3.5-flash-lite", 0.1, 0.4, 1_000_000]],
    local: [["smollm2-135m-instruct", 0, 0, 2048]],
  };
  window.fetch = async (input) => {
    const name = /providers\/([^/]+)\/models/.exec(String(input))?.[1] ?? "";
    const models = listed[name]?.map(([id, input_price, output_price, context_tokens]) => ({
      id,
      input_price,
      output_price,
      context_tokens,
    }));
    return models ? Response.json({ models }) : new Response("{}", { status: 502 });
  };
  for (const name of Object.keys(listed)) void loadModels(name);
}

/** The commands do nothing here, but they are listed. */
function listCommands(): void {
  const names = [
    "new",
    "field",
    "who",
    "compare",
    "nextPanel",
    "editLast",
    "copyLast",
    "settings",
    "list",
    "stop",
    "keys",
  ];
  setCommands(Object.fromEntries(names.map((name) => [name, () => {}])));
}

export const openPalette = (): void => {
  fillList();
  listCommands();
  showDialog("palette");
};

export const openHelp = (): void => {
  listCommands();
  showDialog("help");
};

export const openDeleteAll = (): void => showDialog("delete-all");

export const searchFor = (words: string): void => {
  query.value = words;
};

export const tellMuch = (): void => {
  fillList();
  notify("The conversation could not be saved: the browser's storage is full or switched off.");
  toast("“Names for a sailing boat” is deleted.", () => {});
};

export const askForToken = (refused: boolean) => (): void => {
  tokenQuestion.value = { refused: refused ? { token: "not-the-one", remember: true } : null, answer: () => {} };
};

export const queueMessage = (): void => {
  draft.queued.value = {
    conversationId: current.value.id,
    text: "And then shorten it to five sentences, please.",
    files: [],
  };
  draft.text.value = "One more thing";
};

export const writeTooMuch = (): void => {
  service.value = { ...service.value, limits: { ...service.value.limits, max_prompt_chars: 100 } };
  draft.text.value = "Too long. ".repeat(30);
};

export const haveNoModel = (): void => {
  const providers = service.value.providers.map((provider) => ({ ...provider, ready: false, needs_key: true }));
  service.value = { ...service.value, providers };
};

/** Set something for all panels, and something for one. */
export const setSomething = (): void =>
  changeConversation(current.value.id, (before) => ({
    ...before,
    settings: { ...before.settings, system: "Answer like a patient teacher.", temperature: 0.4, maxCost: 0.05 },
    panels: before.panels.map((panel, place) => (place === 1 ? { ...panel, settings: { temperature: 0.9 } } : panel)),
  }));
