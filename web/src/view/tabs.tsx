/** On a narrow page the panels lie side by side behind its edge; these buttons go to them. */

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isLive } from "../follower";
import { current, revision } from "../store";

export function PanelTabs({ scroller }: { scroller: RefObject<HTMLDivElement | null> }) {
  void revision.value;
  const { panels } = current.value;
  const [shown, setShown] = useState(0);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = (): void => setShown(Math.round(element.scrollLeft / element.clientWidth));
    element.addEventListener("scroll", look, { passive: true });
    return () => element.removeEventListener("scroll", look);
  }, []);
  if (panels.length < 2) return null;
  return (
    <div class="tabs" role="group" aria-label="Panels">
      {panels.map((panel, index) => (
        <button
          key={panel.id}
          type="button"
          class="tab"
          data-testid="panel-tab"
          data-number={index + 1}
          aria-current={index === shown}
          onClick={() => document.getElementById(`panel-${panel.id}`)?.scrollIntoView({ inline: "start", block: "nearest" })}
        >
          <span class="panel-dot" aria-hidden="true" />
          <span class="tab-name">{panel.provider}</span>
          {isLive(panel.turns.at(-1)?.replies.at(-1)) && <span class="pulse" role="img" aria-label="answering" />}
        </button>
      ))}
    </div>
  );
}
