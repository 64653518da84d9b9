/** One reply. Its edge says how it ended, before a word is read. */

import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { connectionOf, isLive, latestOf } from "../follower";
import { plainName } from "../media";
import type { Reply, ToolCall, Turn } from "../model";
import type { Seam } from "../prose";
import { approvalsOf, type Ending, endingOf, failureOf, namesOf, openCalls, untoldOf, warningsOf } from "../reply";
import { texts } from "../texts";
import { waitingOf } from "../waiting";
import { FailureCard } from "./failure";
import { Icon } from "./icons";
import { Live, useNow } from "./live";
import { Markdown } from "./markdown";
import { Parts, Sources } from "./parts";
import { Approvals, Pairs, prettyJson, RunLine, StepLine, Thoughts } from "./runs";
import { VerdictLine } from "./verdict";

export interface ReplyProps {
  panelId: string;
  turn: Turn;
  /** The reply as its conversation holds it. */
  saved: Reply;
  /** Whether the model can be asked to continue now. */
  follow: boolean;
  /** The letter of the panel, if there are several. */
  letter: string | null;
}

export function ReplyView(props: ReplyProps) {
  const reply = latestOf(props.saved);
  const done = !isLive(reply);
  const ending: Ending = done && reply.end === null && reply.lost === null ? "broken" : endingOf(reply);
  const now = useNow(!done);
  const waiting = done ? null : waitingOf(reply, connectionOf(reply), now);
  const host = useRef<HTMLElement>(null);
  const just = useJustEnded(done);
  const percent = waiting?.percent ?? null;
  useLayoutEffect(() => {
    if (percent !== null) host.current?.style.setProperty("--done", `${percent}%`);
  }, [percent]);
  const who = props.letter ?? namesOf(reply).M;
  const approvals = done && props.follow ? approvalsOf(reply) : []; // their cards show all of them
  const seam = useSeam(reply);
  const failure = done ? failureOf(reply) : null;
  return (
    <article
      ref={host}
      class="reply"
      data-testid="reply"
      data-ending={ending}
      aria-busy={!done}
      {...(waiting?.held && { "data-held": waiting.held })}
      {...(percent !== null && { "data-progress": true })}
      {...(just && { "data-just": true })}
    >
      <h2 class="off-screen">{texts.spoken.ended(who, texts.ending[ending])}</h2>
      <div class="said">
        <i class="edge" aria-hidden="true" />
        <Notices reply={reply} />
        <Steps reply={reply} done={done} now={now} />
        {reply.content && <Markdown text={reply.content} done={done} sources={reply.sources} seam={seam} />}
        {reply.refusal && (
          <p class="refusal" dir="auto">
            {reply.refusal}
          </p>
        )}
        <Parts parts={reply.parts ?? []} model={namesOf(reply).M} done={done} />
        <Calls calls={openCalls(reply).filter((call) => !approvals.includes(call))} />
        {approvals.length > 0 && <Approvals panelId={props.panelId} calls={approvals} reply={reply} />}
        {reply.sources.length > 0 && <Sources sources={reply.sources} />}
        {waiting && <Live reply={reply} waiting={waiting} panelId={props.panelId} turnId={props.turn.id} />}
        {failure && <FailureCard failure={failure} isShort={ending === "broken"} />}
        {ending === "empty" && <p class="hint nothing">{texts.verdict.nothing}</p>}
      </div>
      {done && <VerdictLine {...props} reply={reply} />}
    </article>
  );
}

/** Return the line that says where the reply was taken up again after a break; null if it was not. */
const useSeam = ({ pickedUp, pickedUpAt }: Reply): Seam | null =>
  useMemo(
    () => (pickedUp && pickedUpAt ? { at: pickedUpAt, words: texts.live.pickedUp(pickedUp) } : null),
    [pickedUp, pickedUpAt],
  );

/** Return whether the reply has ended while it was looked at: its edge closes once. */
function useJustEnded(done: boolean): boolean {
  const wasLive = useRef(false);
  if (!done) wasLive.current = true;
  return done && wasLive.current;
}

/** What one must know before reading. */
function Notices({ reply }: { reply: Reply }) {
  const { note } = reply;
  const untold = untoldOf(reply);
  return (
    <>
      {note && (note.reason === "resume" || note.reason === "fallback") && (
        <p class="hint note" data-testid="note">
          {note.reason === "resume"
            ? texts.live.resumed(namesOf({ ...reply, provider: note.provider }).P)
            : texts.live.fallback(
                namesOf({ ...reply, end: null }).P,
                namesOf({ ...reply, end: null, provider: note.provider }).P,
              )}
        </p>
      )}
      {warningsOf(reply).map(({ code, said, message }) => (
        <div key={code + message} class="notice" data-testid="warning" data-code={code} title={message}>
          <Icon name="alert" />
          <p>
            <strong>{said.strong}</strong> {said.rest}
          </p>
        </div>
      ))}
      {untold && (
        <div class="notice" data-testid="untold">
          <Icon name="alert" />
          <p>{texts.verdict.untold(plainName(untold))}</p>
        </div>
      )}
    </>
  );
}

/** What the model and the provider did before the answer: one quiet line each. */
function Steps({ reply, done, now }: { reply: Reply; done: boolean; now: number }) {
  const runs = reply.toolRuns ?? [];
  const steps = reply.steps ?? [];
  if (!reply.reasoning && runs.length + steps.length === 0) return null;
  return (
    <div class="steps">
      {reply.reasoning && <Thoughts reply={reply} done={done} now={now} />}
      {runs.map((run) => (
        <RunLine key={run.id} run={run} done={done} provider={namesOf(reply).P} />
      ))}
      {steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows, and two rounds may use the same id
        <StepLine key={index} step={step} done={done} />
      ))}
    </div>
  );
}

/** What the model asks for, in full: a call of which part is hidden could not be judged. */
function Calls({ calls }: { calls: readonly ToolCall[] }) {
  return (
    <>
      {calls.map((call, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows
        <CallCard key={index} call={call} />
      ))}
    </>
  );
}

function CallCard({ call }: { call: ToolCall }) {
  const kind = call.kind ?? "function";
  const name = plainName(call.name) || texts.call.unnamed;
  const pretty = prettyJson(call.arguments_json) ?? call.arguments;
  return (
    <details
      class="step call"
      data-testid="tool-call"
      data-kind={kind}
      open={kind !== "function" || pretty.length < 400}
    >
      <summary>
        <Icon name="tool" />
        <span class="tool-name">{name}</span>
        {texts.callKind[kind] && <small>{texts.callKind[kind]}</small>}
        {!call.complete && <small class="tag">{texts.call.incomplete}</small>}
        <Icon name="fold" class="fold" />
      </summary>
      <Pairs value={call.arguments_json} text={pretty} label={texts.approval.arguments(name)} />
    </details>
  );
}
