/** The message that is sent when the running reply has ended. */

import * as draft from "../draft";
import { current } from "../store";
import { texts } from "../texts";
import { IconButton } from "./icons";

export function Queued() {
  const waiting = draft.queued.value;
  if (waiting === null || waiting.conversationId !== current.value.id) return null;
  const names = waiting.files.map(({ name }) => name).join(", ");
  return (
    <div class="queued" data-testid="queued">
      <p dir="auto">
        {texts.queue.sentWhenDone} <b>{waiting.text || names}</b>
      </p>
      <IconButton icon="pencil" label={texts.queue.edit} class="small" testId="queued-edit" onClick={draft.takeBack} />
      <IconButton
        icon="close"
        label={texts.queue.remove}
        class="small"
        testId="queued-remove"
        onClick={() => {
          draft.queued.value = null;
        }}
      />
    </div>
  );
}
