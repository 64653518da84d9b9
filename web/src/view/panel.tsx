/** One panel: the provider that it asks, and its questions and replies. */

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { askHereToo, canFollow, choose, lastTyped, obstacle, removePanel, stopReplies } from "../actions";
import { formatBytes } from "../attachments";
import { isLive } from "../follower";
import { isBusy, lastReply, type Panel, type Turn } from "../model";
import { findProvider, service } from "../providers";
import { badgeWords } from "../reply";
import { current } from "../store";
import { Welcome } from "./empty";
import { Icon, IconButton } from "./icons";
import { ReplyView } from "./reply";

export function PanelView({ panel, number, only }: { panel: Panel; number: number; only: boolean }) {
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
          onChange={(event) => choose(panel.id, { provider: event.currentTarget.value, model: "" })}
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
          placeholder={known?.default_model || "model name"}
          value={panel.model}
          disabled={live}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          onChange={(event) => choose(panel.id, { model: event.currentTarget.value })}
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
            onClick={() => stopReplies(panel.id)}
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
            onClick={() => removePanel(panel.id)}
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

const NEAR = 60; // pixels; a reader this close to the end counts as being there

function Thread({ panel, only }: { panel: Panel; only: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const lastTop = useRef(0); // where the thread was scrolled to
  const [away, setAway] = useState(false);
  const toEnd = (): void => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
    following.current = true;
    setAway(false);
  };
  // Stay at the end while text arrives, unless the reader has scrolled away from it.
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const element = scroller.current;
      if (element && following.current) element.scrollTop = element.scrollHeight;
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn moves the thread to its end
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
          // New text also moves the end away; only scrolling up means that the reader has left it.
          if (scrollHeight - scrollTop - clientHeight < NEAR) following.current = true;
          else if (scrollTop < lastTop.current) following.current = false;
          lastTop.current = scrollTop;
          setAway(!following.current);
        }}
      >
        <div class="thread-content" ref={content}>
          {panel.turns.length === 0 && <Beginning panel={panel} only={only} />}
          {panel.turns.map((turn) => (
            <TurnView key={turn.id} panelId={panel.id} turn={turn} follow={canFollow(panel, turn)} />
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
  if (only) return <Welcome />;
  const last = lastTyped();
  if (last === undefined) return <p class="beginning">This panel answers beside the others and has its own history.</p>;
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

const ASIDES = { continue: "You asked to continue", resume: "You asked to continue after the break" } as const;

/** `follow`: whether the model can be asked to continue after this turn now. */
function TurnView({ panelId, turn, follow }: { panelId: string; turn: Turn; follow: boolean }) {
  const latest = lastReply(turn);
  return (
    <div class="turn">
      {turn.kind === "typed" ? <Question turn={turn} /> : <p class="aside">{ASIDES[turn.kind]}</p>}
      {turn.replies.slice(0, -1).map((reply) => (
        <details key={reply.id} class="earlier" data-testid="earlier-reply">
          <summary>Earlier reply: {badgeWords(reply).toLowerCase() || "complete"}</summary>
          <ReplyView panelId={panelId} saved={reply} follow={false} />
        </details>
      ))}
      {latest && <ReplyView key={latest.id} panelId={panelId} saved={latest} follow={follow} />}
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
              <span class="chip-size">{formatBytes(file.size)}</span>
            </li>
          ))}
        </ul>
      )}
      {turn.text && <div class="question-text">{turn.text}</div>}
    </div>
  );
}
