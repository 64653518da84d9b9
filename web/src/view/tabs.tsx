/** Buttons that scroll to a panel. On a narrow page only one panel fits; the others are beyond the edge. */

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isLive } from "../follower";
import { current } from "../store";

export function PanelTabs({ scroller }: { scroller: RefObject<HTMLDivElement | null> }) {
  const { panels } = current.value;
  const [shown, setShown] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the element stays the same
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const noteScroll = (): void => setShown(Math.round(element.scrollLeft / element.clientWidth));
    element.addEventListener("scroll", noteScroll, { passive: true });
    return () => element.removeEventListener("scroll", noteScroll);
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
          onClick={() =>
            document.getElementById(`panel-${panel.id}`)?.scrollIntoView({ inline: "start", block: "nearest" })
          }
        >
          <span class="panel-dot" aria-hidden="true" />
          <span class="tab-name">{panel.provider}</span>
          {isLive(panel.turns.at(-1)?.replies.at(-1)) && <span class="pulse" role="img" aria-label="answering" />}
        </button>
      ))}
    </div>
  );
}
