/** Which of several versions is shown: ‹ 2/3 ›. */

import { showAnswer } from "../actions";
import type { Turn } from "../model";
import { texts } from "../texts";
import { shownReply } from "../tree";
import { IconButton } from "./icons";

/** `place`: of the shown version, from 0. Nothing is drawn if there is only one. */
export function Versions(props: { label: string; place: number; count: number; onShow: (place: number) => void }) {
  const { label, place, count, onShow } = props;
  if (count < 2) return null;
  return (
    <span class="versions" role="group" aria-label={label} data-testid="versions">
      <IconButton
        icon="prev"
        label={texts.versions.earlier}
        class="small"
        testId="earlier-version"
        disabled={place === 0}
        onClick={() => onShow(place - 1)}
      />
      <bdi dir="ltr" aria-live="polite">
        {place + 1}/{count}
      </bdi>
      <IconButton
        icon="next"
        label={texts.versions.later}
        class="small"
        testId="later-version"
        disabled={place === count - 1}
        onClick={() => onShow(place + 1)}
      />
    </span>
  );
}

/** The versions of the answer to a question. */
export function AnswerVersions({ panelId, turn }: { panelId: string; turn: Turn }) {
  const shown = shownReply(turn);
  const place = turn.replies.findIndex(({ id }) => id === shown?.id);
  return (
    <Versions
      label={texts.versions.ofReply}
      place={place}
      count={turn.replies.length}
      onShow={(other) => {
        const reply = turn.replies[other];
        if (reply) showAnswer(panelId, turn.id, reply.id);
      }}
    />
  );
}
