/** The last line of a reply: how it ended, what can be done, what it cost. It stands where the edge ends. */

import { useEffect, useRef, useState } from "preact/hooks";
import { answerAgain, branchFrom, continueReply, resumeReply, retry, shareAnswer } from "../actions";
import { shortModel } from "../brands";
import { copyText } from "../code";
import { editInPlace } from "../editing";
import { isBusy, type Reply } from "../model";
import { modelOf } from "../models";
import { shortFacts } from "../receipt";
import { type Act, budgetOf, failureOf, formatDollars, hasWords, verdictOf } from "../reply";
import { current } from "../store";
import { texts } from "../texts";
import { toast } from "../toasts";
import { IconButton } from "./icons";
import { MenuButton } from "./menu";
import { openPicker } from "./picker";
import { Receipt } from "./receipt";
import type { ReplyProps } from "./reply";
import { settingsShown } from "./settings";
import { AnswerVersions } from "./versions";

export function VerdictLine(props: ReplyProps & { reply: Reply }) {
  const { reply, follow } = props;
  const { ending, said, acts } = verdictOf(reply);
  const possible = acts.filter((act) => follow || (!FOLLOWING.has(act) && !isBusy(current.value)));
  return (
    <footer class="verdict" data-testid="verdict">
      {said && (
        <p class="word" data-testid="badge" data-ending={ending}>
          <strong>{said.strong}</strong> {said.rest}
        </p>
      )}
      {possible.length > 0 && (
        <div class="do">
          {possible.map((act, index) => (
            <ActButton key={act} act={act} isFirst={index === 0} {...props} />
          ))}
        </div>
      )}
      <span class="last">
        <Facts reply={reply} word={said === null} who={otherModel(props.panelId, reply)} />
        <Tools {...props} />
      </span>
    </footer>
  );
}

/** Return who answered, if that is not whom the panel asks now; else empty. */
function otherModel(panelId: string, { provider, model }: Reply): string {
  const panel = current.value.panels.find(({ id }) => id === panelId);
  if (panel === undefined || !model) return "";
  return panel.provider === provider && modelOf(panel) === model ? "" : shortModel(model);
}

/** These need the reply to be the last one. */
const FOLLOWING: ReadonlySet<Act> = new Set(["continue", "resume", "budgetMore"]);

const TEST_IDS: Partial<Record<Act, string>> = {
  continue: "continue",
  budgetMore: "continue",
  resume: "resume",
  again: "retry",
  tryAgain: "retry",
  other: "ask-other",
  choose: "ask-other",
  larger: "ask-other",
  edit: "edit-question",
  editMessage: "edit-question",
};

function ActButton(props: ReplyProps & { reply: Reply; act: Act; isFirst: boolean }) {
  const { act, isFirst, reply, panelId, turn, follow } = props;
  const turnId = turn.id;
  const wait = useSecondsLeft(act === "tryAgain" ? (failureOf(reply)?.wait ?? null) : null, reply.id);
  const doIt = (opener: HTMLElement): void => {
    if (act === "continue" || act === "budgetMore") continueReply(panelId);
    else if (act === "resume") resumeReply(panelId);
    else if (act === "again" || act === "tryAgain") follow ? retry(panelId) : answerAgain(panelId, turnId);
    else if (act === "other" || act === "choose" || act === "larger")
      openPicker(opener, { panelId, turnId, purpose: "again" });
    else if (act === "edit" || act === "editMessage") editInPlace(turn);
    else settingsShown.value = true;
  };
  return (
    <button
      type="button"
      class={`btn ${isFirst ? "primary" : "quiet"}`}
      data-testid={TEST_IDS[act] ?? act}
      onClick={(event) => doIt(event.currentTarget)}
    >
      {wordsFor(act, wait, reply)}
    </button>
  );
}

function wordsFor(act: Act, wait: number, reply: Reply): string {
  if (act === "tryAgain" && wait > 0) return texts.act.tryIn(wait);
  if (act === "budgetMore") return texts.act.budgetMore(formatDollars(budgetOf(reply).budget));
  return texts.act[act];
}

/** Return the seconds that are left of a wait that began when the reply was first seen; it stays pressable. */
function useSecondsLeft(seconds: number | null, replyId: string): number {
  const [left, setLeft] = useState(() => Math.ceil(seconds ?? 0));
  // biome-ignore lint/correctness/useExhaustiveDependencies: another reply begins another wait
  useEffect(() => {
    if (left <= 0) return;
    const timer = setInterval(() => setLeft((before) => Math.max(0, before - 1)), 1000);
    return () => clearInterval(timer);
  }, [replyId]);
  return left;
}

/** "Complete 9.4 s · $0.0043": opens the receipt. */
function Facts({ reply, word, who }: { reply: Reply; word: boolean; who: string }) {
  const [opener, setOpener] = useState<HTMLElement | null>(null);
  const facts = [who, shortFacts(reply)].filter(Boolean).join(" · ");
  if (!facts && !word) return null;
  return (
    <>
      <button
        type="button"
        class="facts"
        data-testid="usage"
        title={texts.act.receipt}
        aria-haspopup="dialog"
        aria-expanded={opener !== null}
        onClick={(event) => setOpener(opener ? null : event.currentTarget)}
      >
        {word && <b>{texts.verdict.complete}</b>}
        <bdi dir="ltr">{facts}</bdi>
      </button>
      {opener && <Receipt opener={opener} reply={reply} onClose={() => setOpener(null)} />}
    </>
  );
}

function Tools({ panelId, turn, reply, follow }: ReplyProps & { reply: Reply }) {
  const turnId = turn.id;
  const host = useRef<HTMLSpanElement>(null);
  const busy = isBusy(current.value);
  const copy = async (text: string, words: string): Promise<void> => {
    toast((await copyText(text)) ? words : texts.act.notCopied);
  };
  const pick = (purpose: "again" | "check"): void => {
    if (host.current) openPicker(host.current, { panelId, turnId, purpose });
  };
  const share = (): void => {
    const undo = shareAnswer(panelId, turnId);
    if (undo) toast(texts.toast.shared, undo);
  };
  const isShared = current.value.panels.length > 1 && turn.round !== undefined;
  return (
    <span class="tools" ref={host}>
      <AnswerVersions panelId={panelId} turn={turn} />
      {reply.content && (
        <IconButton
          icon="copy"
          label={texts.act.copy}
          class="s"
          testId="copy-reply"
          onClick={() => void copy(reply.content, texts.act.copied)}
        />
      )}
      <IconButton
        icon="again"
        label={texts.act.againHere}
        class="s"
        testId="answer-again"
        disabled={busy}
        onClick={() => answerAgain(panelId, turnId)}
      />
      <MenuButton
        label={texts.act.more}
        testId="reply-menu"
        items={() => [
          { icon: "again", label: texts.act.againWith, act: () => pick("again"), disabled: busy, testId: "again-with" },
          ...(follow && hasWords(reply)
            ? [
                {
                  icon: "eye" as const,
                  label: texts.act.check,
                  act: () => pick("check"),
                  disabled: busy,
                  testId: "check",
                },
              ]
            : []),
          ...(follow && isShared && hasWords(reply)
            ? [{ icon: "columns" as const, label: texts.act.inAll, act: share, disabled: busy, testId: "share" }]
            : []),
          { icon: "branch", label: texts.act.branch, act: () => void branchFrom(panelId, turnId), testId: "branch" },
          {
            icon: "copy",
            label: texts.act.copyPlain,
            act: () => void copy(plainText(reply.content), texts.act.copiedPlain),
          },
        ]}
      />
    </span>
  );
}

/** Return markdown without its marks, for places that know none. */
const plainText = (markdown: string): string =>
  markdown
    .replace(/^ {0,3}(?:#{1,6} |> ?)/gm, "")
    .replace(/^```.*$\n?/gm, "")
    .replace(/\*\*([^*\n]+)\*\*/g, "$1")
    .replace(/`([^`\n]+)`/g, "$1")
    .replace(/\[([^\]\n]+)\]\([^)\n]+\)/g, "$1");
