/** What a reply waits for while it comes: how long, how far, and the line that the model's thoughts are at. */

import { useEffect, useState } from "preact/hooks";
import type { Reply } from "../model";
import { hasWords } from "../reply";
import { texts } from "../texts";
import { lastThought, type Waiting } from "../waiting";
import { openPicker } from "./picker";

/** Return the time in milliseconds since 1970, new each second while it runs. */
export function useNow(runs: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!runs) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [runs]);
  return now;
}

export function Live({
  reply,
  waiting,
  panelId,
  turnId,
}: {
  reply: Reply;
  waiting: Waiting;
  panelId: string;
  turnId: string;
}) {
  const thought = reply.reasoning && !hasWords(reply) ? lastThought(reply.reasoning) : "";
  if ((!waiting.words || waiting.isInStep) && !waiting.more && !thought) return null;
  return (
    <div class="live" data-testid="live">
      {waiting.words && !waiting.isInStep && (
        <div class="live-line">
          {waiting.held === "busy" && <span class="ring" aria-hidden="true" />}
          <b class={waiting.works ? "shimmer" : ""}>{waiting.words}</b>
          {waiting.number && <span class="num">{waiting.number}</span>}
        </div>
      )}
      {waiting.more && <p class="hint">{waiting.more}</p>}
      {thought && (
        <div class="thought" aria-hidden="true" data-testid="thought">
          <bdi>{thought}</bdi>
        </div>
      )}
      {waiting.canHurry && (
        <div class="do">
          <button
            type="button"
            class="btn quiet"
            data-testid="ask-other"
            onClick={(event) => openPicker(event.currentTarget, { panelId, turnId, purpose: "again" })}
          >
            {texts.act.other}
          </button>
        </div>
      )}
    </div>
  );
}
