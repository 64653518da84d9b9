/** The scenes of the gallery: each puts the page into one state, with made-up data in the real store. */

import type { PanelStream, ToolResult, ToolStep } from "msgmodel-client";
import { Follower } from "../src/follower";
import {
  type Conversation,
  newConversation,
  newId,
  newPanel,
  newReply,
  newTurn,
  type Panel,
  type Reply,
  type Stream,
  type Turn,
} from "../src/model";
import { providersLoaded, service } from "../src/providers";
import { changeConversation, current } from "../src/store";
import { HASH_MAP, HOSE, HOSE_CUT, MATHS, PIXELS } from "./examples";
import { ENDINGS, ended, FAILURES, failed, final, TEXT, WARNED } from "./replies";
import * as states from "./states";

const STEPS = ended(
  final(HASH_MAP, {
    reasoning: "The profile shows a step near 70 m.\nI should compare the surface with the open Atlantic.",
    tool_runs: [
      {
        id: "1",
        name: "web_search",
        status: "done",
        input: { query: "Baltic surface salinity 2026" },
        output: "smhi.se: Salinity in the Baltic Sea",
      },
      { id: "2", name: "code_interpreter", status: "done", input: "print(21_700 / 940)", output: "23.08" },
      { id: "3", name: "read_profile", status: "failed", input: { file: "gotland-ctd.png" }, output: null },
    ],
    sources: [
      {
        url: "https://www.smhi.se/salinity",
        title: "Salinity in the Baltic Sea",
        text: "7.1 g/kg at the surface",
        end: 64,
      },
      { url: "https://helcom.fi/water", title: "Water balance", text: null, end: HASH_MAP.length },
      { url: null, title: "A book without an address", text: null, end: HASH_MAP.length },
    ],
  }),
  {
    thought: { from: 0, to: 12_000 },
    parts: [
      {
        event: "panel_part",
        panel_id: "p",
        id: "i",
        kind: "image",
        media_type: "image/svg+xml",
        size: 1_204_000,
        complete: true,
        data: PIXELS,
        text: "A calm sea under a low sun",
      },
    ],
  },
);

const step = (name: string, given: Record<string, string>, rest: Partial<ToolStep>): ToolStep => ({
  id: name,
  name,
  call: { id: name, name, arguments: JSON.stringify(given), arguments_json: given, complete: true },
  progress: "",
  result: null,
  pending: null,
  ...rest,
});

const resultOf = (name: string, status: ToolResult["status"], error: string | null = null): ToolResult => ({
  id: name,
  name,
  status,
  result: error === null ? { deepest: 249, salinity: 12.4 } : null,
  error,
  seconds: 0.8,
});

const RUN: Partial<Reply> = {
  content: "I have read your profile. Now I ask for the price of a new sensor.",
  steps: [
    step("read_profile", { file: "gotland-ctd.png" }, { result: resultOf("read_profile", "done") }),
    step("price", { item: "CTD sensor" }, { result: resultOf("price", "failed", "ValueError: no price today") }),
    step("order", { item: "CTD sensor" }, { result: resultOf("order", "refused", "It was not approved.") }),
    step("copy_files", { folder: "docs" }, { progress: "copied docs/a\ncopied docs/b\n" }),
  ],
};

const asked = (text: string, reply: Reply, round?: string): Turn => ({
  ...newTurn("typed", text),
  askedAt: Date.UTC(2026, 10, 30, 14, 32),
  ...(round && { round }),
  replies: [reply],
});

const single = (title: string, pairs: readonly (readonly [string, Reply])[]): Conversation => ({
  ...newConversation([
    { ...newPanel("openai", "gpt-6-luna"), turns: pairs.map(([text, reply]) => asked(text, reply)) },
  ]),
  title,
});

const WHO = [
  ["openai", "gpt-6-luna"],
  ["anthropic", "claude-haiku-5-5"],
  ["gemini", "gemini-3.5-flash-lite"],
  ["local", "smollm2-135m-instruct"],
] as const;

function board(title: string, rows: readonly (readonly [string, readonly Reply[]])[], count = 4): Conversation {
  const panels = WHO.slice(0, count).map(([provider, model], place): Panel => {
    const turns = rows.map(([text, replies], row) =>
      asked(text, { ...(replies[place] ?? newReply("", "")), provider, model }, `r${row}`),
    );
    return { ...newPanel(provider, model), turns };
  });
  return { ...newConversation(panels), title };
}

const answer = (text: string, seconds: number, cost: number | null, rest = {}): Reply =>
  ended(
    final(text, {
      provider: "",
      model: "",
      cost,
      timing: { first_delta_seconds: 0.4, total_seconds: seconds, attempts: 1 },
      ...rest,
    }),
  );

const COMPARED = board("Why is the sea salty?", [
  [
    "How much salt is in sea water?",
    [
      answer("35 grams in a kilogram, on average.", 0.8, 0.0002),
      answer("About 3.5 per cent of sea water is salt.", 1.1, 0.0008),
      answer("3.5 %.", 0.5, 0.0001),
      answer("The sea has 35 salt.", 0.9, 0),
    ],
  ],
  [
    "Why is the sea salty? Explain it in five sentences.",
    [
      answer(
        "Salt comes off the land. Rain is slightly acid, it dissolves rock, and rivers carry what it took to the sea.\n\nWater evaporates, the salt stays. In about four billion years that has added up to 35 grams in every kilogram.",
        2.1,
        0.0009,
      ),
      answer(
        "Two things put salt into the sea: rivers, which bring what rain has washed out of rock, and vents on the sea floor, where hot water takes up minerals.\n\n- Sodium and chloride make up 85 % of it.\n- It leaves again as sediment and spray.",
        3.4,
        0.0031,
      ),
      answer(
        "Rivers bring salt to the sea, and evaporation leaves it there. Over geological time a balance has come about, so that",
        1.2,
        0.0002,
        { status: "truncated", truncated_in: "text" },
      ),
      answer(
        "The sea is salty because of the salt in it. Rivers have salt. The salt goes into the sea and it is salty.",
        4,
        0,
      ),
    ],
  ],
]);

const live = (rest: Partial<Reply>): Reply => ({ ...newReply("", ""), ...rest });

const progress = (phase: string, rest = {}) =>
  ({ event: "panel_progress", panel_id: "p", phase, seconds: 7, ...rest }) as unknown as NonNullable<Reply["progress"]>;

const STREAMING = board("Explain a hash map", [
  [
    "Explain how a hash map works, with a small example.",
    [
      live({ content: HASH_MAP.slice(0, 330), progress: progress("text", { tokens_per_second: 64 }), pickedUp: 44 }),
      live({
        reasoning:
          "I should begin with the idea of a place.\nso the load factor must stay below three quarters, or else chains grow",
        thought: { from: Date.now() - 12_000, to: null },
      }),
      live({
        note: {
          reason: "retry",
          provider: "gemini",
          model: "",
          error: "Busy.",
          attempt: 2,
          until: Date.now() + 64_000,
        },
      }),
      live({ progress: progress("prompt", { percent: 38 }) }),
    ],
  ],
]);

const SEARCHING = single("Search", [
  [
    "Find the numbers of today.",
    live({
      provider: "openai",
      model: "gpt-6-luna",
      toolRuns: [{ id: "1", name: "web_search", status: "started", input: { query: "Baltic salinity" }, output: null }],
    }),
  ],
]);

const LATE = single("Right to left", [
  [
    "لماذا مياه بحر البلطيق أقل ملوحة من المحيط الأطلسي؟",
    ended(
      final(
        "البلطيق **بحر داخلي قليل الملوحة**: تصبّ فيه أنهار كثيرة.\n\n- الماء العذب خفيف فيبقى في الأعلى.\n- الماء المالح ثقيل.",
      ),
    ),
  ],
]);

const LONG = single("Two versions", [["Explain the step.", STEPS]]);
const versions = (conversation: Conversation): Conversation => ({
  ...conversation,
  panels: conversation.panels.map((panel) => ({
    ...panel,
    turns: panel.turns.map((turn) => ({
      ...turn,
      replies: [ended(final("An earlier answer.")), ...turn.replies],
      versions: [[newTurn("typed", "Explain it.")]],
      place: 1,
    })),
  })),
});

const README = board(
  "Fill the Grand Canyon",
  [
    [
      "How long would a garden hose take to fill the Grand Canyon? Show the calculation.",
      [
        answer(HOSE, 3.1, 0.0012),
        answer(HOSE_CUT, 1.4, 0.0007, { status: "truncated", truncated_in: "text", finish_reason: "length" }),
      ].map((reply) => ({ ...reply, asked: { maxTokens: 586, budget: null } })),
    ],
  ],
  2,
);

const ONE = newPanel("openai", "gpt-6-luna");
const once = (title: string, text: string, reply: Reply) => (): Conversation => single(title, [[text, reply]]);
const openAi = (rest: Partial<Reply>): Reply => ({ ...newReply("openai", "gpt-6-luna"), ...rest });
const approval = ENDINGS.find(([, { toolCalls }]) => toolCalls[0]?.kind === "approval")?.[1] ?? openAi({});

/** By name: the conversation, whether its last replies are still coming, and what is done then. */
export const SCENES: Readonly<
  Record<string, readonly [() => Conversation, ("live" | "")?, (() => void | Promise<void>)?]>
> = {
  empty: [() => newConversation([ONE])],
  "empty-two": [() => board("", [], 2)],
  "no-model": [() => newConversation([ONE]), "", states.haveNoModel],
  endings: [() => single("The lighthouse", ENDINGS)],
  failures: [() => single("Failures", FAILURES)],
  warnings: [() => single("Warnings", WARNED)],
  steps: [() => versions(LONG)],
  run: [once("A run of tools", "Order a sensor.", openAi(RUN)), "live", states.press("tool-step")],
  maths: [once("Salt in the Baltic", "How long does the water stay?", ended(final(MATHS))), "", states.wait(".katex")],
  approval: [once("A mail", "Mail the first chapter to Ida.", approval)],
  receipt: [once("A sentence", "Shorten it.", ended(final(TEXT))), "", states.press("usage")],
  "reply-menu": [once("A sentence", "Shorten it.", ended(final(TEXT))), "", states.press("reply-menu")],
  edit: [once("A sentence", "Shorten it to one sentence.", ended(final(TEXT))), "", states.press("edit-question")],
  compare: [() => COMPARED],
  differences: [() => COMPARED, "", showDifferences],
  "compare-two": [() => ({ ...COMPARED, panels: COMPARED.panels.slice(0, 2) })],
  streaming: [() => STREAMING, "live"],
  "streaming-one": [once("A story", "Write a story.", openAi({ content: TEXT })), "live"],
  away: [once("A story", "Write a story.", openAi({ content: TEXT })), "live"],
  searching: [() => SEARCHING, "live"],
  queued: [once("A story", "Write a story.", openAi({ content: TEXT })), "live", states.queueMessage],
  files: [() => ({ ...COMPARED, panels: COMPARED.panels.slice(0, 2) }), "", states.attachFiles],
  "too-long": [() => newConversation([ONE]), "", states.writeTooMuch],
  picker: [() => newConversation([ONE]), "", states.press("choose-model")],
  settings: [() => COMPARED, "", openSettings],
  "settings-of-one": [() => COMPARED, "", openSettingsOfOne],
  list: [once("Salt in the Baltic", "Why?", ended(final(HASH_MAP))), "", openList],
  search: [once("A story", "Write it.", ended(final(TEXT))), "", searchInList],
  told: [once("A story", "Write it.", ended(final(TEXT))), "", states.tellMuch],
  palette: [once("A story", "Write it.", ended(final(TEXT))), "", states.openPalette],
  help: [() => newConversation([ONE]), "", states.openHelp],
  "delete-all": [once("A story", "Write it.", ended(final(TEXT))), "", states.openDeleteAll],
  "sign-in": [() => newConversation([ONE]), "", states.askForToken(false)],
  "sign-in-again": [() => newConversation([ONE]), "", states.askForToken(true)],
  rtl: [() => LATE],
  readme: [() => README, "", showReadme],
  broken: [() => board("Broken", [["Tell me.", [answer(TEXT, 2, 0.001), ended(failed("interrupted", TEXT))]]], 2)],
};

async function openSettings(): Promise<void> {
  states.setSomething();
  await states.press("settings")();
}

async function openSettingsOfOne(): Promise<void> {
  await openSettings();
  await states.drawn();
  document.querySelectorAll<HTMLElement>("[data-testid=settings-tab]")[2]?.click();
}

async function showReadme(): Promise<void> {
  states.fillList();
  await states.wait(".katex")();
}

/** A narrow page shows one column, and marks nothing. */
async function showDifferences(): Promise<void> {
  if (innerWidth > 832) await states.press("differences")();
}

/** On a narrow page, the list is a drawer. */
async function openList(): Promise<void> {
  states.fillList();
  if (innerWidth <= 832) await states.press("menu")();
}

async function searchInList(): Promise<void> {
  await openList();
  states.searchFor("keeper climbed");
}

const provider = (name: string, default_model: string, ready = true) => ({
  name,
  default_model,
  wire: name === "anthropic" ? "chat" : "other",
  ready,
  needs_key: name !== "local" && name !== "ollama",
  local: name === "local",
});

/** Put the page into this state; return what is still to be done once it is drawn. */
export function showScene(name: string): () => void | Promise<void> {
  const others = ["azure", "bedrock", "cerebras", "cohere", "deepseek", "groq", "mistral"].map((other) =>
    provider(other, "", false),
  );
  const own = WHO.map(([known, model]) => provider(known, model));
  service.value = {
    ...service.value,
    providers: [...own, provider("ollama", "", false), ...others],
    default: "openai",
  };
  providersLoaded.value = true;
  states.listModels();
  const [make, kind, act = () => {}] = SCENES[name] ?? [() => newConversation([newPanel("openai")])];
  const made = make();
  const { id } = current.value;
  const stream: Stream = { id: "s", key: newId(), askedAt: Date.now(), replies: {} };
  if (kind === "live") {
    const replies = new Map(
      made.panels.flatMap(
        (panel) => panel.turns.at(-1)?.replies.map((reply): [string, Reply] => [panel.id, reply]) ?? [],
      ),
    );
    const follower = new Follower(id, stream, replies);
    if (name === "away") loseConnection(follower);
  }
  changeConversation(id, () => ({ ...made, id, streams: kind === "live" ? [stream] : [] }));
  return act;
}

/** Let a follower read a stream whose connection is lost at once. */
function loseConnection(follower: Follower): void {
  const nothing = new Promise<never>(() => {});
  void follower.read(({ onStatus }) => {
    queueMicrotask(() => onStatus?.("reconnecting"));
    const stream = { streamId: "s", next: () => nothing, [Symbol.asyncIterator]: () => stream };
    return stream as unknown as PanelStream;
  });
}
