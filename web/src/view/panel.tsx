/** The conversation with one model; and a turn of it, which the board of several shows in its columns too. */

import { canFollow } from "../actions";
import type { Panel, Turn } from "../model";
import { current } from "../store";
import { texts } from "../texts";
import { shownReply } from "../tree";
import type { Following } from "./following";
import { Icon } from "./icons";
import { isDrawnAtOnce, LazyTurn, roughHeight } from "./lazy-turn";
import { Question } from "./question";
import { ReplyView } from "./reply";

export function ThreadView({ panel, following }: { panel: Panel; following: Following }) {
  const { scroller, content, onScroll } = following;
  return (
    <div
      class="thread"
      ref={scroller}
      tabIndex={0}
      role="group"
      aria-label={texts.frame.messages}
      data-testid="panel"
      data-panel="A"
      data-panel-id={panel.id}
      onScroll={onScroll}
    >
      <div class="thread-in" ref={content}>
        {panel.turns.map((turn, place) => (
          <LazyTurn
            key={turn.id}
            atOnce={isDrawnAtOnce(place, panel.turns.length)}
            height={() => roughHeight(turn)}
            draw={() => (
              <>
                {turn.kind === "typed" && <Question panelId={panel.id} turn={turn} />}
                <Answer panel={panel} turn={turn} letter={null} />
              </>
            )}
          />
        ))}
      </div>
    </div>
  );
}

/** What came of a turn. A turn that only asked to go on begins with a line that says so. */
export function Answer({ panel, turn, letter }: { panel: Panel; turn: Turn; letter: string | null }) {
  const reply = shownReply(turn);
  const aside = asideWords(turn);
  return (
    <>
      {aside && <p class="seam aside">{aside}</p>}
      {reply && (
        <ReplyView
          key={reply.id}
          panelId={panel.id}
          turn={turn}
          saved={reply}
          follow={canFollow(panel, turn)}
          letter={letter}
        />
      )}
    </>
  );
}

function asideWords(turn: Turn): string {
  if (turn.kind === "typed") return "";
  if (turn.kind !== "decide") return texts.aside[turn.kind];
  const [allowed, denied] = [true, false].map((way) => turn.decisions?.filter(({ approve }) => approve === way).length);
  return [allowed && texts.aside.approved(allowed), denied && texts.aside.denied(denied)].filter(Boolean).join(", ");
}

/** Goes to the latest words, if the reader is away from them. */
export function ToEnd({ following }: { following: Following }) {
  if (!following.away || current.value.panels.length === 0) return null;
  return (
    <button type="button" class="to-end" data-testid="to-end" onClick={following.toEnd} aria-label={texts.frame.toEnd}>
      <Icon name="down" />
    </button>
  );
}
