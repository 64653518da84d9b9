/** The list of saved conversations: pinned, by day, or what a search has found. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { announce } from "../announce";
import { isPersistent } from "../database";
import { focusComposer } from "../focus";
import { groupByDay, searchConversations } from "../search";
import { toggleList } from "../shown";
import { conversations, openConversation, startConversation } from "../store";
import { texts } from "../texts";
import { ConversationRow } from "./conversation-row";
import { showDialog } from "./dialogs";
import { Icon, IconButton } from "./icons";
import { ListFoot } from "./list-foot";

/** What is looked for; empty if nothing is. */
export const query = signal("");

export function Sidebar({ shown, onHide }: { shown: boolean; onHide: () => void }) {
  const first = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (!shown) return;
    const before = document.activeElement;
    first.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [shown]);
  const runAndHide = (act: () => void): void => {
    act();
    onHide();
    focusComposer();
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a click beside the list hides it */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Escape */}
      <div class="veil backdrop" data-shown={shown} onClick={onHide} />
      <nav
        class="sidebar"
        id="conversations"
        aria-label={texts.list.label}
        data-shown={shown}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !shown) return;
          event.preventDefault();
          event.stopPropagation();
          onHide();
        }}
      >
        <div class="brand">
          <Mark />
          <span>{texts.frame.name}</span>
          <IconButton icon="side" label={texts.list.hide} class="wide-only" testId="hide-list" onClick={toggleList} />
          <IconButton icon="close" label={texts.list.close} class="narrow-only" onClick={onHide} />
        </div>
        <button
          ref={first}
          type="button"
          class="new"
          aria-label={texts.frame.newConversation}
          data-testid="new-conversation"
          onClick={() => runAndHide(startConversation)}
        >
          <Icon name="plus" />
          <span>{texts.frame.newConversation}</span>
        </button>
        <IconButton icon="side" label={texts.do.list} class="rail-only" testId="show-list" onClick={toggleList} />
        <IconButton icon="search" label={texts.palette.label} class="rail-only" onClick={() => showDialog("palette")} />
        <Find />
        <List onOpen={(id) => runAndHide(() => openConversation(id))} />
        {!isPersistent.value && <p class="hint">{texts.list.lost}</p>}
        <ListFoot />
      </nav>
    </>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="#0a6a55" />
      <g fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">
        <path d="M8.500 7.500V19a5 5 0 0 0 5 5h10" />
        <path d="M15 9h8.500M15 15.500h5.500" stroke="#8fe3c8" />
      </g>
    </svg>
  );
}

function Find() {
  return (
    <div class="find">
      <Icon name="search" />
      <input
        type="search"
        data-testid="search"
        placeholder={texts.list.search}
        aria-label={texts.list.searchLabel}
        dir="auto"
        value={query.value}
        onInput={(event) => {
          query.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || query.value === "") return;
          event.preventDefault();
          event.stopPropagation();
          query.value = "";
        }}
      />
      {query.value === "" && <kbd>{/mac/i.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>}
    </div>
  );
}

function List({ onOpen }: { onOpen: (id: string) => void }) {
  const looked = query.value.trim();
  const found = looked ? searchConversations(conversations.value, looked) : null;
  const words = found && (found.length > 0 ? texts.list.found(found.length, looked) : texts.list.nothing(looked));
  useLayoutEffect(() => {
    if (words) announce(words);
  }, [words]);
  if (conversations.value.length === 0) return <p class="list hint">{texts.list.empty}</p>;
  if (found !== null) {
    return (
      <div class="list" data-testid="history" tabIndex={0} role="group" aria-label={texts.list.all}>
        <h2 data-testid="found">{words}</h2>
        <ul>
          {found.map(({ conversation, title, excerpt }) => (
            <ConversationRow
              key={conversation.id}
              conversation={conversation}
              title={title}
              excerpt={excerpt}
              onOpen={onOpen}
            />
          ))}
        </ul>
      </div>
    );
  }
  return (
    <div class="list" data-testid="history" tabIndex={0} role="group" aria-label={texts.list.all}>
      {groupByDay(conversations.value, new Date(), texts.list).map(({ name, conversations: members }) => (
        <section key={name} aria-label={name}>
          <h2>{name}</h2>
          <ul>
            {members.map((conversation) => (
              <ConversationRow key={conversation.id} conversation={conversation} onOpen={onOpen} />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}
