/** On a narrow page one column is shown at a time; the tabs show how all of them ended. */

import { useRef } from "preact/hooks";
import { brandOf, letterOf } from "../brands";
import { isLive, latestOf } from "../follower";
import type { Panel, Reply } from "../model";
import { modelOf } from "../models";
import { priceOf, secondsOf } from "../receipt";
import { endingOf, formatSeconds } from "../reply";
import { current } from "../store";
import { texts } from "../texts";
import { shownReply } from "../tree";
import { Glyph } from "./icons";

export function PanelTabs({ shown, onShow }: { shown: number; onShow: (place: number) => void }) {
  const { panels } = current.value;
  const host = useRef<HTMLDivElement>(null);
  if (panels.length < 2) return null;
  return (
    <div
      ref={(element) => {
        host.current = element;
        element?.style.setProperty("--n", String(panels.length));
      }}
      class="tabs"
      role="tablist"
      aria-label={texts.frame.panels}
      onKeyDown={(event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const place = (shown + step + panels.length) % panels.length;
        onShow(place);
        host.current?.querySelectorAll("button")[place]?.focus();
      }}
    >
      {panels.map((panel, place) => (
        <button
          key={panel.id}
          type="button"
          role="tab"
          class="tab"
          data-testid="panel-tab"
          aria-selected={place === shown}
          tabIndex={place === shown ? 0 : -1}
          aria-label={texts.frame.panel(letterOf(place), nameOf(panel))}
          onClick={() => onShow(place)}
        >
          <TabState panel={panel} />
        </button>
      ))}
    </div>
  );
}

const nameOf = (panel: Panel): string => modelOf(panel).split(/[-:/]/)[0] || brandOf(panel.provider);

function TabState({ panel }: { panel: Panel }) {
  const turn = panel.turns.at(-1);
  const saved: Reply | undefined = turn && shownReply(turn);
  const name = brandOf(panel.provider);
  if (saved === undefined) return <span>{name}</span>;
  const reply = latestOf(saved);
  const ending = isLive(saved) ? "streaming" : endingOf(reply);
  const seconds = secondsOf(reply);
  const facts = [seconds === null ? "" : formatSeconds(seconds), priceOf(reply)].filter(Boolean).join(" · ");
  return (
    <>
      <span>
        <Glyph ending={ending} labeled />
        {name}
      </span>
      <span>{facts || texts.ending[ending]}</span>
    </>
  );
}
