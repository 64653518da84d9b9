/** What came before the answer: the model's thoughts, the tools that the provider ran, and those that wait for the user. */

import { useState } from "preact/hooks";
import { decide } from "../actions";
import { plainName } from "../media";
import type { Reply, ToolCall, ToolRun, ToolStep } from "../model";
import { thoughtSeconds } from "../receipt";
import { formatSeconds, hasWords, namesOf } from "../reply";
import { texts } from "../texts";
import { Icon, type IconName } from "./icons";

/** Return a value as JSON with line breaks; null if there is none. */
export const prettyJson = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value, null, 2);

/** While it thinks, the line says how long; the server's clock and the page's need not agree, so `now` is the page's. */
export function Thoughts({ reply, done, now }: { reply: Reply; done: boolean; now: number }) {
  const seconds = thoughtSeconds(reply);
  const thinks = !done && !hasWords(reply);
  const words = thinks ? texts.live.thinking : seconds === null ? texts.live.thoughtSome : texts.live.thought(seconds);
  return (
    <details class="step" data-testid="reasoning">
      <summary>
        <Icon name="spark" />
        <span class={thinks ? "shimmer" : ""}>{words}</span>
        {thinks && reply.thought && (
          <small class="num">{texts.live.seconds(secondsSince(reply.thought.from, now))}</small>
        )}
        <Icon name="fold" class="fold" />
      </summary>
      <div class="step-body thoughts" dir="auto">
        {reply.reasoning}
      </div>
    </details>
  );
}

const secondsSince = (from: number, now: number): number => Math.max(1, Math.round((now - from) / 1000));

/** A tool that the provider ran, as a sentence with who did it; open, what it was asked and what came of it. */
export function RunLine({ run, done, provider }: { run: ToolRun; done: boolean; provider: string }) {
  const status = run.status === "started" && done ? "open" : run.status;
  const asked = typeof run.input === "string" ? run.input : prettyJson(run.input);
  const fact = status === "failed" ? texts.live.andFailed : status === "open" ? texts.live.notFinished : "";
  return (
    <StepDetails
      testId="tool-run"
      status={status}
      icon={iconOf(run.name)}
      sentence={sentenceOf(run, provider, status === "started")}
      fact={fact}
      input={run.input}
      asked={asked ?? ""}
      output={run.output ?? ""}
    />
  );
}

/** A call of a run of tools: this server ran it. */
export function StepLine({ step, done }: { step: ToolStep; done: boolean }) {
  const { call, result, pending, progress } = step;
  const name = plainName(step.name) || texts.call.unnamed;
  const open = pending ? "waiting" : done ? "unknown" : "running";
  const status = result?.status ?? open;
  const input = call?.arguments_json ?? pending?.arguments_json ?? null;
  return (
    <StepDetails
      testId="tool-step"
      status={status}
      icon="tool"
      sentence={texts.step[status](name)}
      fact={result?.status === "done" ? formatSeconds(result.seconds) : ""}
      input={input}
      asked={prettyJson(input) ?? call?.arguments ?? ""}
      output={result ? (result.error ?? asText(result.result)) : progress}
    />
  );
}

const asText = (value: unknown): string => (typeof value === "string" ? value : (prettyJson(value) ?? ""));

/** One line; open, what was asked and what came of it. */
function StepDetails(props: {
  testId: string;
  status: string;
  icon: IconName;
  sentence: string;
  fact: string;
  input: unknown;
  asked: string;
  output: string;
}) {
  const { testId, status, asked, output } = props;
  const head = (
    <>
      <Icon name={props.icon} />
      <span dir="auto">{props.sentence}</span>
      {props.fact && <small class="num">{props.fact}</small>}
    </>
  );
  if (!asked && !output) {
    return (
      <p class="step step-line" data-testid={testId} data-status={status}>
        {head}
      </p>
    );
  }
  return (
    <details class="step" data-testid={testId} data-status={status}>
      <summary>
        {head}
        <Icon name="fold" class="fold" />
      </summary>
      <div class="step-body">
        {asked && <Pairs value={props.input} text={asked} label={texts.live.asked} />}
        {output && (
          <pre tabIndex={0} role="group" aria-label={texts.live.result}>
            {output}
          </pre>
        )}
      </div>
    </details>
  );
}

const iconOf = (name: string): IconName => (/search/.test(name) ? "globe" : /code/.test(name) ? "code" : "tool");

function sentenceOf({ name, input }: ToolRun, provider: string, runs: boolean): string {
  if (/web.?search|google.?search/.test(name)) {
    const query = queryOf(input);
    return `${runs ? texts.live.searching(provider) : texts.live.searched(provider)}${query && `: “${query}”`}`;
  }
  if (/^code/.test(name)) return runs ? texts.live.running(provider, "code") : texts.live.ranCode(provider);
  const plain = plainName(name) || texts.call.unnamed;
  return runs ? texts.live.running(provider, plain) : texts.live.ran(provider, plain);
}

/** Return the words of a search, whichever way the provider names them. */
function queryOf(input: unknown): string {
  if (typeof input === "string") return plainName(input).slice(0, 80);
  if (Array.isArray(input)) return queryOf(input[0]);
  if (typeof input !== "object" || input === null) return "";
  const { query, queries } = input as { query?: unknown; queries?: unknown };
  return queryOf(query ?? queries);
}

/** An object of plain values as pairs; anything else as the text that it is. */
export function Pairs({ value, text, label }: { value: unknown; text: string; label: string }) {
  const pairs = plainPairs(value);
  if (pairs === null) {
    return (
      <pre tabIndex={0} role="group" aria-label={label}>
        {text}
      </pre>
    );
  }
  return (
    <dl class="pairs" aria-label={label}>
      {pairs.map(([key, shown]) => (
        <div key={key} class="pair">
          <dt>{key}</dt>
          <dd dir="auto">{shown}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Return the entries of an object if each is a plain value that can be read as it is; else null. */
function plainPairs(value: unknown): [string, string][] | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value);
  const isPlain = entries.every(([, shown]) => ["string", "number", "boolean"].includes(typeof shown));
  return isPlain && entries.length > 0 ? entries.map(([key, shown]) => [plainName(key), String(shown)]) : null;
}

/** Asks whether calls may be run. The answer is sent when the user has decided about every one. */
export function Approvals({ panelId, calls, reply }: { panelId: string; calls: readonly ToolCall[]; reply: Reply }) {
  const [decisions, setDecisions] = useState<Readonly<Record<string, boolean>>>({});
  const { P, M } = namesOf(reply);
  const choose = (callId: string, approve: boolean): void => {
    const made = { ...decisions, [callId]: approve };
    setDecisions(made);
    if (calls.every(({ id }) => Object.hasOwn(made, id))) {
      decide(
        panelId,
        calls.map(({ id }) => ({ callId: id, approve: made[id] === true })),
      );
    }
  };
  const open = calls.filter(({ id }) => !Object.hasOwn(decisions, id)).length;
  return (
    <div class="permits" data-testid="approvals">
      {calls.map((call) => {
        const name = plainName(call.name) || texts.call.unnamed;
        const made = decisions[call.id];
        return (
          <section key={call.id} class="permit" aria-label={texts.approval.title(M, name)}>
            <h3>
              <Icon name="tool" />
              {texts.approval.title(M, name)}
            </h3>
            <p class="hint">{texts.approval.where(name, P)}</p>
            <Pairs
              value={call.arguments_json}
              text={prettyJson(call.arguments_json) ?? call.arguments}
              label={texts.approval.arguments(name)}
            />
            <details class="details">
              <summary>
                <Icon name="fold" />
                {texts.approval.asWritten}
              </summary>
              <pre tabIndex={0} role="group" aria-label={texts.approval.asWritten}>
                {call.arguments}
              </pre>
            </details>
            <div class="row">
              <button
                type="button"
                class="btn primary"
                data-testid="approve"
                aria-pressed={made === true}
                onClick={() => choose(call.id, true)}
              >
                {texts.approval.approve}
              </button>
              <button
                type="button"
                class="btn"
                data-testid="deny"
                aria-pressed={made === false}
                onClick={() => choose(call.id, false)}
              >
                {texts.approval.deny}
              </button>
              {made !== undefined && (
                <span class="hint">
                  {made ? texts.approval.approved : texts.approval.denied}
                  {open > 0 && ` · ${texts.approval.others(open)}`}
                </span>
              )}
            </div>
          </section>
        );
      })}
    </div>
  );
}
