/** The conversations that this browser keeps. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { forget } from "../actions";
import { announce } from "../announce";
import { lasting } from "../database";
import { focusComposer } from "../focus";
import type { Conversation } from "../model";
import { conversations, current, readConversations, open, rename, revision, startConversation, tell } from "../store";
import { download, exportAll, importAll } from "../transfer";
import { opened } from "./dialogs";
import { Icon, IconButton } from "./icons";

export function Sidebar({ shown, onHide }: { shown: boolean; onHide: () => void }) {
  void revision.value;
  const first = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (!shown) return;
    const before = document.activeElement;
    first.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [shown]);
  const choose = (act: () => void): void => {
    act();
    onHide();
    focusComposer();
  };
  return (
    <>
      <div class="backdrop" data-shown={shown} onClick={onHide} />
      <nav
        class="sidebar"
        id="conversations"
        aria-label="Conversations"
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
          <span>msgmodel</span>
          <IconButton icon="close" label="Hide the conversations" class="narrow-only" onClick={onHide} />
        </div>
        <button ref={first} type="button" class="new" data-testid="new-conversation" onClick={() => choose(startConversation)}>
          <Icon name="plus" />
          New conversation
        </button>
        {conversations.value.length === 0 ? (
          <p class="sidebar-empty">What you ask is listed here, and kept in this browser only.</p>
        ) : (
          <ul class="history" data-testid="history">
            {conversations.value.map((conversation) => (
              <Item key={conversation.id} conversation={conversation} onOpen={() => choose(() => open(conversation))} />
            ))}
          </ul>
        )}
        <Foot />
      </nav>
    </>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M7 6v20" />
      <path d="M14 9h12M14 16h8" />
      <circle cx="15.500" cy="23" r="2" />
    </svg>
  );
}

function Item({ conversation, onOpen }: { conversation: Conversation; onOpen: () => void }) {
  void revision.value;
  const [renaming, setRenaming] = useState(false);
  const here = current.value === conversation;
  const title = conversation.title || "Untitled";
  if (renaming) {
    const leave = (value: string): void => {
      rename(conversation, value);
      setRenaming(false);
    };
    return (
      <li class="history-item" data-testid="history-item">
        <input
          class="rename"
          aria-label="Name of the conversation"
          data-testid="rename-input"
          defaultValue={title}
          ref={(input) => input?.select()}
          onBlur={(event) => leave(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") leave(event.currentTarget.value);
            if (event.key !== "Escape") return;
            event.preventDefault();
            event.stopPropagation();
            setRenaming(false);
          }}
        />
      </li>
    );
  }
  return (
    <li class="history-item" data-testid="history-item" data-here={here}>
      <button type="button" class="history-open" aria-current={here ? "page" : undefined} title={title} onClick={onOpen}>
        {conversation.streams.length > 0 && <span class="pulse" role="img" aria-label="answering" />}
        <span class="history-title">{title}</span>
      </button>
      <IconButton icon="pencil" label={`Rename ${title}`} class="small" testId="rename" onClick={() => setRenaming(true)} />
      <IconButton icon="trash" label={`Delete ${title}`} class="small" testId="delete" onClick={() => forget(conversation)} />
    </li>
  );
}

function Foot() {
  const picker = useRef<HTMLInputElement>(null);
  const bring = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    try {
      const count = await importAll(await file.text());
      await readConversations();
      announce(`${count} conversations imported`);
    } catch (error) {
      tell(`Nothing was imported: ${(error as Error).message}`);
    }
  };
  const take = async (): Promise<void> => {
    download(await exportAll(), `msgmodel-${new Date().toISOString().slice(0, 10)}.json`);
    announce("Conversations exported");
  };
  return (
    <div class="sidebar-foot">
      {!lasting.value && <p class="sidebar-empty">This browser keeps nothing: the list ends with the tab.</p>}
      <div class="sidebar-tools">
        <IconButton icon="download" label="Export all as JSON" testId="export" onClick={() => void take()} />
        <IconButton icon="upload" label="Import conversations" testId="import" onClick={() => picker.current?.click()} />
        <input
          ref={picker}
          type="file"
          accept="application/json,.json"
          hidden
          data-testid="import-input"
          aria-label="Import conversations"
          onChange={(event) => {
            void bring(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
        <IconButton
          icon="trash"
          label="Delete all conversations"
          testId="delete-all"
          disabled={conversations.value.length === 0}
          onClick={() => (opened.value = "delete-all")}
        />
        <IconButton icon="keyboard" label="Keyboard shortcuts" testId="shortcuts" onClick={() => (opened.value = "shortcuts")} />
      </div>
    </div>
  );
}
