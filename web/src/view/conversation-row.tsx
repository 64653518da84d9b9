/** One conversation in the list: its title, how its last reply ended, and what can be done with it. */

import { useState } from "preact/hooks";
import { addressOf } from "../address";
import { forget } from "../deletion";
import type { Conversation } from "../model";
import { endingOf } from "../reply";
import type { Excerpt } from "../search";
import { current, pinConversation, renameConversation } from "../store";
import { texts } from "../texts";
import { toast } from "../toasts";
import { asMarkdown } from "../transcript";
import { download, exportAll, fileNameFor } from "../transfer";
import { shownReply } from "../tree";
import { Glyph } from "./icons";
import { MenuButton, type MenuItem } from "./menu";

export function ConversationRow(props: {
  conversation: Conversation;
  title?: Excerpt;
  excerpt?: Excerpt | null;
  onOpen: (id: string) => void;
}) {
  const { conversation, excerpt, onOpen } = props;
  const [renaming, setRenaming] = useState(false);
  const [menu, setMenu] = useState(false);
  const { id, panels } = conversation;
  const title = conversation.title || texts.list.untitled;
  const here = current.value.id === id;
  if (renaming) {
    return (
      <li class="item history-item" data-testid="history-item">
        <RenameField conversation={conversation} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li class="item history-item" data-testid="history-item" data-here={here} data-menu={menu ? "open" : "closed"}>
      <a
        href={addressOf(id)}
        class="history-open"
        aria-current={here ? "page" : undefined}
        title={title}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // as on any link
          event.preventDefault();
          onOpen(id);
        }}
      >
        <span class="history-title" dir="auto">
          {props.title ? <Marked excerpt={props.title} /> : title}
          {excerpt && (
            <small class="found" data-testid="excerpt">
              <Marked excerpt={excerpt} />
            </small>
          )}
        </span>
        {panels.length > 1 && (
          <span class="count" title={texts.list.models(panels.length)}>
            {panels.length}
          </span>
        )}
        <Ended conversation={conversation} />
      </a>
      <MenuButton
        label={texts.list.more(title)}
        items={() => itemsFor(conversation, () => setRenaming(true))}
        testId="conversation-menu"
        onToggle={setMenu}
      />
    </li>
  );
}

/** The shape of the last ending, unless it is complete. */
function Ended({ conversation }: { conversation: Conversation }) {
  if (conversation.streams.length > 0) return <Glyph ending="streaming" labeled />;
  const endings = conversation.panels.flatMap(({ turns }) => {
    const turn = turns.at(-1);
    const reply = turn && shownReply(turn);
    return reply ? [endingOf(reply)] : [];
  });
  const ending = endings.find((found) => found !== "complete" && found !== "streaming");
  return ending ? <Glyph ending={ending} labeled /> : null;
}

/** Return what can be done with a conversation. */
export function itemsFor(conversation: Conversation, rename: () => void): MenuItem[] {
  const { id, title, pinned } = conversation;
  return [
    { icon: "pencil", label: texts.do.rename, testId: "rename", act: rename },
    {
      icon: "pin",
      label: pinned ? texts.do.unpin : texts.do.pin,
      testId: "pin",
      act: () => pinConversation(id, !pinned),
    },
    {
      icon: "download",
      label: texts.do.exportMarkdown,
      testId: "export-markdown",
      act: () => {
        download(new Blob([asMarkdown(conversation)], { type: "text/markdown" }), fileNameFor(title, "md"));
        toast(texts.toast.exported);
      },
    },
    {
      icon: "file",
      label: texts.do.exportJson,
      testId: "export-json",
      act: () => void exportOne(conversation),
    },
    {
      icon: "trash",
      label: texts.do.delete,
      testId: "delete",
      danger: true,
      apart: true,
      act: () => forget(conversation),
    },
  ];
}

async function exportOne(conversation: Conversation): Promise<void> {
  download(await exportAll([conversation]), fileNameFor(conversation.title, "json"));
  toast(texts.toast.exported);
}

/** The title as a field: Enter keeps it, Escape leaves it. */
export function RenameField({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
  const finish = (value: string): void => {
    renameConversation(conversation.id, value);
    onDone();
  };
  return (
    <input
      class="rename"
      aria-label={texts.list.name}
      data-testid="rename-input"
      dir="auto"
      defaultValue={conversation.title || texts.list.untitled}
      ref={(input) => {
        if (input && document.activeElement !== input) input.select();
      }}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") finish(event.currentTarget.value);
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        onDone();
      }}
    />
  );
}

/** A text in which what was looked for is marked. */
export function Marked({ excerpt: { text, marks } }: { excerpt: Excerpt }) {
  const ends = [0, ...marks.map(([, end]) => end)];
  return (
    <>
      {marks.map(([start, end], place) => (
        <>
          {text.slice(ends[place], start)}
          <mark>{text.slice(start, end)}</mark>
        </>
      ))}
      {text.slice(ends.at(-1))}
    </>
  );
}
