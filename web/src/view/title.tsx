/** The title of the open conversation, with what can be done with all of it. */

import { useState } from "preact/hooks";
import { hasQuestions } from "../model";
import { current } from "../store";
import { texts } from "../texts";
import { itemsFor, RenameField } from "./conversation-row";
import { MenuButton } from "./menu";

export function Title() {
  const conversation = current.value;
  const [renamed, setRenamed] = useState("");
  const title = conversation.title || texts.frame.newConversation;
  if (renamed === conversation.id) {
    return (
      <h1 class="title">
        <RenameField conversation={conversation} onDone={() => setRenamed("")} />
      </h1>
    );
  }
  return (
    <h1 class="title">
      <span dir="auto">{title}</span>
      {hasQuestions(conversation) && (
        <MenuButton
          label={texts.list.more(title)}
          icon="chev"
          testId="title-menu"
          items={() => itemsFor(conversation, () => setRenamed(conversation.id))}
        />
      )}
    </h1>
  );
}
