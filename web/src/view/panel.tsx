/** One panel: whom it asks, and what was said in it. */

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { askHereToo, canFollow, choose, lastTyped, obstacle, removePanel, stopReplies } from "../actions";
import { bytes } from "../attachments";
import { isBusy } from "../exchange";
import { isLive } from "../follower";
import { type Panel, type Turn, lastReply } from "../model";
import { findProvider, service } from "../providers";
import { badge } from "../reply";
import { current, revision } from "../store";
import { Welcome } from "./empty";
import { Icon, IconButton } from "./icons";
import { ReplyView } from "./reply";

export function PanelView({ panel, number, only }: { panel: Panel; number: number; only: boolean }) {
  void revision.value;
  const live = isLive(panel.turns.at(-1)?.replies.at(-1));
  return (
    <section
      class="panel"
      id={`panel-${panel.id}`}
      data-testid="panel"
      data-panel-id={panel.id}
      data-number={number}
      aria-label={only ? `Conversation with ${panel.provider}` : `Panel ${number}: ${panel.provider}`}
    >
      <Head panel={panel} number={number} only={only} live={live} />
      <Thread panel={panel} only={only} />
    </section>
  );
}

function Head({ panel, number, only, live }: { panel: Panel; number: number; only: boolean; live: boolean }) {
  void revision.value;
  const models = useId();
  const { providers, models: allowed } = service.value;
  const known = findProvider(panel.provider);
  const ready = providers.filter((provider) => provider.ready);
  const others = providers.filter((provider) => !provider.ready);
  const reason = obstacle(panel);
  return (
    <header class="panel-head">
      <div class="panel-choice">
        <span class="panel-dot" aria-hidden="true" />
        <select
          aria-label={`Provider of panel ${number}`}
          data-testid="provider-select"
          value={panel.provider}
          disabled={live}
          onChange={(event) => choose(panel, { provider: event.currentTarget.value, model: "" })}
        >
          {known === undefined && <option value={panel.provider}>{panel.provider}</option>}
          {ready.length > 0 && (
            <optgroup label="Ready">
              {ready.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </optgroup>
          )}
          {others.length > 0 && (
            <optgroup label="Not available">
              {others.map(({ name, local }) => (
                <option key={name} value={name} disabled={name !== panel.provider}>
                  {name} ({local ? "not installed" : "no key on the server"})
                </option>
              ))}
            </optgroup>
          )}
        </select>
        <input
          class="model"
          aria-label={`Model of panel ${number}`}
          data-testid="model-input"
          list={allowed ? models : undefined}
          placeholder={known?.default_model || "name of a model"}
          value={panel.model}
          disabled={live}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          onChange={(event) => choose(panel, { model: event.currentTarget.value })}
        />
        {allowed && (
          <datalist id={models}>
            {allowed.map((model) => (
              <option key={model} value={model} />
            ))}
          </datalist>
        )}
        {live && (
          <button
            type="button"
            class="button small"
            data-testid="panel-stop"
            aria-label={`Stop panel ${number}`}
            onClick={() => stopReplies(panel)}
          >
            Stop
          </button>
        )}
        {!only && !live && (
          <IconButton
            icon="close"
            label={`Remove panel ${number}`}
            class="small"
            testId="remove-panel"
            disabled={isBusy(current.value)}
            onClick={() => removePanel(panel)}
          />
        )}
      </div>
      {reason && (
        <p class="panel-reason" data-testid="unavailable">
          {reason}
        </p>
      )}
    </header>
  );
}

const NEAR = 60; // pixels from the end that still count as being there

function Thread({ panel, only }: { panel: Panel; only: boolean }) {
  void revision.value;
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const before = useRef(0); // where it was scrolled to
  const [away, setAway] = useState(false);
  const toEnd = (): void => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
    stuck.current = true;
    setAway(false);
  };
  // Stays at the end while text comes, unless the reader has scrolled away from it.
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const element = scroller.current;
      if (element && stuck.current) element.scrollTop = element.scrollHeight;
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(toEnd, [panel.turns.length]);
  return (
    <div class="thread-frame">
      <div
        class="thread"
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label={`Messages with ${panel.provider}`}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          // Text may have come since: only who scrolls up has left the end.
          if (scrollHeight - scrollTop - clientHeight < NEAR) stuck.current = true;
          else if (scrollTop < before.current) stuck.current = false;
          before.current = scrollTop;
          setAway(!stuck.current);
        }}
      >
        <div class="thread-content" ref={content}>
          {panel.turns.length === 0 && <Beginning panel={panel} only={only} />}
          {panel.turns.map((turn) => (
            <TurnView key={turn.id} panel={panel} turn={turn} />
          ))}
        </div>
      </div>
      {away && (
        <button type="button" class="to-end" data-testid="to-end" onClick={toEnd} aria-label="Go to the latest text">
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function Beginning({ panel, only }: { panel: Panel; only: boolean }) {
  void revision.value;
  if (only) return <Welcome />;
  const last = lastTyped();
  if (last === undefined) return <p class="beginning">Answers beside the other panels, from a history of its own.</p>;
  return (
    <div class="beginning">
      <p>This panel joins with your next message.</p>
      {!isBusy(current.value) && (
        <button type="button" class="button small" data-testid="ask-here-too" onClick={() => askHereToo(panel)}>
          Ask the last question here too
        </button>
      )}
    </div>
  );
}

const ASIDES = { continue: "You asked to go on", resume: "You asked to go on after the break" } as const;

function TurnView({ panel, turn }: { panel: Panel; turn: Turn }) {
  void revision.value;
  const latest = lastReply(turn);
  return (
    <div class="turn">
      {turn.kind === "typed" ? <Question turn={turn} /> : <p class="aside">{ASIDES[turn.kind]}</p>}
      {turn.replies.slice(0, -1).map((reply) => (
        <details key={reply.id} class="earlier" data-testid="earlier-reply">
          <summary>Earlier try: {(badge(reply) ?? "complete").toLowerCase()}</summary>
          <ReplyView panel={panel} reply={reply} follow={false} />
        </details>
      ))}
      {latest && <ReplyView key={latest.id} panel={panel} reply={latest} follow={canFollow(panel, turn)} />}
    </div>
  );
}

function Question({ turn }: { turn: Turn }) {
  return (
    <div class="question" data-testid="question">
      <span class="off-screen">You said: </span>
      {turn.files.length > 0 && (
        <ul class="chips" aria-label="Attached files">
          {turn.files.map((file) => (
            <li key={file.id} class="chip">
              <span class="chip-name">{file.name}</span>
              <span class="chip-size">{bytes(file.size)}</span>
            </li>
          ))}
        </ul>
      )}
      {turn.text && <div class="question-text">{turn.text}</div>}
    </div>
  );
}
