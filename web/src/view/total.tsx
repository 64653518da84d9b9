/** What the open conversation has cost, and how full the models' context is: short in the bar, whole in a popover. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { letterOf } from "../brands";
import type { Panel } from "../model";
import { contextOf } from "../models";
import { findProvider, loadModels } from "../providers";
import { formatCount, formatDollars } from "../reply";
import { filledBy, type Total, totalOf } from "../spending";
import { current } from "../store";
import { texts } from "../texts";
import { Popover } from "./popover";

const HIGH = 80; // percent

/** A panel and how full the context of its model is, in percent. */
interface Fill {
  readonly letter: string;
  readonly tokens: number;
  readonly most: number;
  readonly percent: number;
}

function fillOf(panel: Panel, place: number): Fill[] {
  const [tokens, most] = [filledBy(panel), contextOf(panel)];
  if (tokens === null || !most) return [];
  return [{ letter: letterOf(place), tokens, most, percent: Math.min(100, Math.round((100 * tokens) / most)) }];
}

export function TotalButton() {
  const [opener, setOpener] = useState<HTMLElement | null>(null);
  const { panels } = current.value;
  const total = totalOf(current.value);
  const fills = panels.flatMap(fillOf);
  const fullest = fills.reduce<Fill | null>((most, fill) => (fill.percent > (most?.percent ?? -1) ? fill : most), null);
  const cost = costWords(total);
  if (!cost && fullest === null) return null;
  return (
    <>
      <button
        type="button"
        class="facts wide-only"
        data-testid="total"
        title={texts.total.title}
        aria-haspopup="dialog"
        aria-expanded={opener !== null}
        onClick={(event) => {
          // How much a model takes is in the list of its provider, which is asked for only when somebody looks.
          for (const { provider } of panels) if (findProvider(provider)?.ready) void loadModels(provider);
          setOpener(opener ? null : event.currentTarget);
        }}
      >
        {fullest && <Gauge percent={fullest.percent} />}
        <span class="off-screen">{texts.receipt.cost} </span>
        <bdi dir="ltr">{cost}</bdi>
        {fullest && fullest.percent >= HIGH && <span class="high">{texts.total.full(fullest.percent)}</span>}
      </button>
      {opener && (
        <Popover opener={opener} label={texts.total.title} class="receipt" atEnd onClose={() => setOpener(null)}>
          <h3>{texts.total.title}</h3>
          <dl>
            <Line label={texts.total.replies} value={formatCount(total.replies)} />
            <Line label={texts.receipt.in} value={texts.receipt.tokens(formatCount(total.input), "")} />
            <Line label={texts.receipt.out} value={texts.receipt.tokens(formatCount(total.output), "")} />
            <Line label={texts.receipt.cost} value={cost} isSum />
          </dl>
          {fills.length > 0 && (
            <dl>
              {fills.map(({ letter, tokens, most, percent }) => (
                <Line
                  key={letter}
                  label={panels.length > 1 ? `${texts.start.context} ${letter}` : texts.start.context}
                  value={texts.total.filled(formatCount(tokens), formatCount(most), percent)}
                />
              ))}
            </dl>
          )}
        </Popover>
      )}
    </>
  );
}

function costWords({ cost, about }: Total): string {
  const words = formatDollars(cost);
  return about && words.startsWith("$") ? `≈ ${words}` : words;
}

function Gauge({ percent }: { percent: number }) {
  const ring = useRef<HTMLElement>(null);
  useLayoutEffect(() => ring.current?.style.setProperty("--done", `${percent}%`), [percent]);
  return <i ref={ring} class="gauge" data-testid="gauge" data-high={percent >= HIGH} aria-hidden="true" />;
}

function Line({ label, value, isSum }: { label: string; value: string; isSum?: boolean }) {
  if (!value) return null;
  return (
    <div class={isSum ? "sum" : ""}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
