/** Several models side by side: one scroller, one question over all columns, answers in line. The strip at its head says
 * of each model how it ended, how long it took, and what it cost. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { askHereToo, keepPanel, lastTyped, obstacle, removePanel, stopReplies } from "../actions";
import { brandOf, initialsOf, letterOf, shortModel } from "../brands";
import { markDifferences } from "../differences";
import { connectionOf, isLive, latestOf } from "../follower";
import { isBusy, type Panel, type Reply } from "../model";
import { factsOf, modelOf } from "../models";
import { findProvider } from "../providers";
import { type Best, bestOf, priceOf, secondsOf } from "../receipt";
import { endingOf, formatSeconds } from "../reply";
import { type Row, rowsOf } from "../rows";
import { current } from "../store";
import { texts } from "../texts";
import { toast } from "../toasts";
import { shownReply } from "../tree";
import { stripWords, waitingOf } from "../waiting";
import type { Following } from "./following";
import { Glyph, Icon, IconButton } from "./icons";
import { isDrawnAtOnce, LazyTurn, roughHeight } from "./lazy-turn";
import { useNow } from "./live";
import { Answer } from "./panel";
import { openPicker } from "./picker";
import { Question } from "./question";

export interface BoardProps {
  following: Following;
  /** The place of the panel that a narrow page shows. */
  shown: number;
  /** Whether words that stand in one answer alone are marked. */
  differences: boolean;
  /** Whether all columns scroll as one. */
  together: boolean;
}

/** The reply as its conversation holds it: one that is being written would draw the whole strip with every frame. */
const savedReply = (panel: Panel): Reply | undefined => {
  const turn = panel.turns.at(-1);
  return turn && shownReply(turn);
};

export function Board({ following, shown, differences, together }: BoardProps) {
  const { panels } = current.value;
  const rows = rowsOf(panels);
  const host = following.scroller;
  useLayoutEffect(() => host.current?.style.setProperty("--n", String(panels.length)), [host, panels.length]);
  const marks = useRef<(() => void) | null>(null);
  // Drawn anew whenever the board is: the marks are ranges in the text, not elements in it.
  useLayoutEffect(() => {
    marks.current?.();
    marks.current = differences && host.current ? markDifferences(host.current) : null;
    return () => marks.current?.();
  });
  const strip = <Strip panels={panels} shown={shown} />;
  if (rows.length === 0) {
    return (
      <div class="board" ref={host} tabIndex={0} role="group" aria-label={texts.frame.board}>
        {strip}
        <div class="cards" ref={following.content}>
          {panels.map((panel, place) => (
            <Card key={panel.id} panel={panel} letter={letterOf(place)} />
          ))}
        </div>
      </div>
    );
  }
  return (
    <div
      class="board"
      ref={host}
      tabIndex={0}
      role="group"
      aria-label={texts.frame.board}
      data-diff={differences}
      data-together={together}
      onScroll={following.onScroll}
    >
      {strip}
      <div class="board-in" ref={following.content}>
        {rows.map((row, index) => (
          <LazyTurn
            key={row.key}
            atOnce={isDrawnAtOnce(index, rows.length)}
            height={() => Math.max(...row.cells.flat().map(roughHeight))}
            draw={() => <BoardRow row={row} panels={panels} shown={shown} isLast={index === rows.length - 1} />}
          />
        ))}
      </div>
    </div>
  );
}

function BoardRow({
  row,
  panels,
  shown,
  isLast,
}: {
  row: Row;
  panels: readonly Panel[];
  shown: number;
  isLast: boolean;
}) {
  const asked = panels.find((_, place) => (row.cells[place]?.length ?? 0) > 0);
  const replies = row.cells.map((turns) => turns.at(-1)).map((turn) => turn && shownReply(turn));
  const canKeep = isLast && !isBusy(current.value) && replies.filter(Boolean).length > 1;
  return (
    <>
      {asked && row.question.kind === "typed" && <Question panelId={asked.id} turn={row.question} />}
      <div class="answers">
        {panels.map((panel, place) => (
          <div key={panel.id} class="column" data-panel={letterOf(place)} data-shown={place === shown}>
            {row.cells[place]?.map((turn) => (
              <Answer key={turn.id} panel={panel} turn={turn} letter={letterOf(place)} />
            ))}
            {row.cells[place]?.length === 0 && isLast && <Joins panel={panel} />}
            {canKeep && replies[place] && (
              <div class="keep">
                <button
                  type="button"
                  class="btn"
                  data-testid="keep"
                  onClick={() => {
                    const undo = keepPanel(panel.id);
                    toast(texts.toast.kept(letterOf(place)), undo);
                  }}
                >
                  <Icon name="check" />
                  {texts.act.keep}
                </button>
              </div>
            )}
          </div>
        ))}
      </div>
    </>
  );
}

/** A panel that was added after the last question. */
function Joins({ panel }: { panel: Panel }) {
  if (lastTyped() === undefined) return null;
  return (
    <div class="joins">
      <p class="hint">{texts.start.joins}</p>
      {!isBusy(current.value) && (
        <button type="button" class="btn" data-testid="ask-here-too" onClick={() => askHereToo(panel)}>
          {texts.start.askHereToo}
        </button>
      )}
    </div>
  );
}

function Strip({ panels, shown }: { panels: readonly Panel[]; shown: number }) {
  const best = bestOf(panels.map(savedReply));
  return (
    <div class="strip">
      {panels.map((panel, place) => (
        <Cell key={panel.id} panel={panel} place={place} isShown={place === shown} best={best} />
      ))}
    </div>
  );
}

function Cell({ panel, place, isShown, best }: { panel: Panel; place: number; isShown: boolean; best: Best }) {
  const letter = letterOf(place);
  const last = panel.turns.at(-1);
  const reply = last && shownReply(last);
  const live = isLive(reply);
  const who = `${brandOf(panel.provider)} ${modelOf(panel)}`.trim();
  const reason = obstacle(panel);
  return (
    <section
      class="cell"
      data-testid="panel"
      data-panel={letter}
      data-panel-id={panel.id}
      data-shown={isShown}
      aria-label={texts.frame.panel(letter, who)}
    >
      <div class="cell-head">
        <button
          type="button"
          class="to"
          aria-haspopup="dialog"
          data-testid="choose-model"
          title={who}
          disabled={live}
          onClick={(event) => openPicker(event.currentTarget, { panelId: panel.id, purpose: "panel" })}
        >
          <span class="letter" aria-hidden="true">
            {letter}
          </span>
          <span class="who">{brandOf(panel.provider)}</span>
          <span class="what">{modelOf(panel)}</span>
          <Icon name="chev" />
        </button>
        {live ? (
          <IconButton
            icon="stop"
            label={texts.composer.stopPanel(letter)}
            class="s stop"
            testId="panel-stop"
            onClick={() => stopReplies(panel.id)}
          />
        ) : (
          <IconButton
            icon="close"
            label={texts.frame.removePanel(letter)}
            class="s"
            testId="remove-panel"
            disabled={isBusy(current.value)}
            onClick={() => removePanel(panel.id)}
          />
        )}
      </div>
      {reason ? (
        <p class="cell-state problem" data-testid="unavailable">
          {reason}
        </p>
      ) : (
        reply && <CellState saved={reply} best={best} />
      )}
    </section>
  );
}

/** One line: shape, word, time, price. The best of the row is underlined. */
function CellState({ saved, best }: { saved: Reply; best: Best }) {
  const reply = latestOf(saved);
  const live = isLive(saved);
  const now = useNow(live);
  const ending = endingOf(reply);
  if (live) {
    const waiting = waitingOf(reply, connectionOf(saved), now);
    const { word, number } = stripWords(reply, waiting);
    return (
      <div class="cell-state" data-testid="cell-state">
        <Glyph ending="streaming" held={waiting.held} />
        <b>{word}</b>
        <span class="num">{number}</span>
      </div>
    );
  }
  const word = texts.ending[ending];
  const seconds = secondsOf(reply);
  const price = priceOf(reply);
  return (
    <div class="cell-state" data-testid="cell-state">
      <Glyph ending={ending} />
      <b>{word.charAt(0).toUpperCase() + word.slice(1)}</b>
      {seconds !== null && (
        <span class={best.time?.id === reply.id ? "num best" : "num"}>{formatSeconds(seconds)}</span>
      )}
      {price && <span class={best.price?.id === reply.id ? "num best" : "num"}>{price}</span>}
    </div>
  );
}

/** Before the first question: who this is. */
function Card({ panel, letter }: { panel: Panel; letter: string }) {
  const provider = findProvider(panel.provider);
  const { context, price } = factsOf(panel);
  return (
    <section class="card" aria-label={texts.frame.panel(letter, brandOf(panel.provider))}>
      <span class="maker" aria-hidden="true">
        {initialsOf(panel.provider)}
      </span>
      <h2>{shortModel(modelOf(panel)) || brandOf(panel.provider)}</h2>
      <p>{brandOf(panel.provider)}</p>
      <dl>
        {context && (
          <>
            <dt>{texts.start.context}</dt>
            <dd>{context}</dd>
          </>
        )}
        {price && (
          <>
            <dt>{texts.start.price}</dt>
            <dd>{price}</dd>
          </>
        )}
        <dt>{texts.start.data}</dt>
        <dd>{provider?.local ? texts.start.runsHere : texts.start.goesTo(brandOf(panel.provider))}</dd>
      </dl>
    </section>
  );
}
