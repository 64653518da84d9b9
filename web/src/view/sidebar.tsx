/** The list of saved conversations. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { forget } from "../actions";
import { announce } from "../announce";
import { isPersistent } from "../database";
import { focusComposer } from "../focus";
import type { Conversation } from "../model";
import {
  conversations,
  current,
  notify,
  openConversation,
  readConversations,
  renameConversation,
  startConversation,
} from "../store";
import { download, exportAll, importAll } from "../transfer";
import { showDialog } from "./dialogs";
import { Icon, IconButton } from "./icons";

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
        <button
          ref={first}
          type="button"
          class="new"
          data-testid="new-conversation"
          onClick={() => runAndHide(startConversation)}
        >
          <Icon name="plus" />
          New conversation
        </button>
        {conversations.value.length === 0 ? (
          <p class="sidebar-empty">Your conversations are listed here and kept in this browser only.</p>
        ) : (
          <ul class="history" data-testid="history">
            {conversations.value.map((conversation) => (
              <Item
                key={conversation.id}
                conversation={conversation}
                onOpen={() => runAndHide(() => openConversation(conversation.id))}
              />
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
  const [renaming, setRenaming] = useState(false);
  const here = current.value.id === conversation.id;
  const title = conversation.title || "Untitled";
  if (renaming) {
    const finishRenaming = (value: string): void => {
      renameConversation(conversation.id, value);
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
          onBlur={(event) => finishRenaming(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") finishRenaming(event.currentTarget.value);
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
      <button
        type="button"
        class="history-open"
        aria-current={here ? "page" : undefined}
        title={title}
        onClick={onOpen}
      >
        {conversation.streams.length > 0 && <span class="pulse" role="img" aria-label="answering" />}
        <span class="history-title">{title}</span>
      </button>
      <IconButton
        icon="pencil"
        label={`Rename ${title}`}
        class="small"
        testId="rename"
        onClick={() => setRenaming(true)}
      />
      <IconButton
        icon="trash"
        label={`Delete ${title}`}
        class="small"
        testId="delete"
        onClick={() => forget(conversation)}
      />
    </li>
  );
}

function Foot() {
  const picker = useRef<HTMLInputElement>(null);
  const importFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    try {
      const count = await importAll(await file.text());
      await readConversations();
      announce(`${count} conversations imported`);
    } catch (error) {
      notify(`Nothing was imported: ${(error as Error).message}`);
    }
  };
  const exportFile = async (): Promise<void> => {
    download(await exportAll(), `msgmodel-${new Date().toISOString().slice(0, 10)}.json`);
    announce("Conversations exported");
  };
  return (
    <div class="sidebar-foot">
      {!isPersistent.value && (
        <p class="sidebar-empty">This browser stores nothing: the conversations are lost when you close the tab.</p>
      )}
      <div class="sidebar-tools">
        <IconButton icon="download" label="Export all as JSON" testId="export" onClick={() => void exportFile()} />
        <IconButton
          icon="upload"
          label="Import conversations"
          testId="import"
          onClick={() => picker.current?.click()}
        />
        <input
          ref={picker}
          type="file"
          accept="application/json,.json"
          hidden
          data-testid="import-input"
          aria-label="Import conversations"
          onChange={(event) => {
            void importFile(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
        <IconButton
          icon="trash"
          label="Delete all conversations"
          testId="delete-all"
          disabled={conversations.value.length === 0}
          onClick={() => showDialog("delete-all")}
        />
        <IconButton
          icon="keyboard"
          label="Keyboard shortcuts"
          testId="shortcuts"
          onClick={() => showDialog("shortcuts")}
        />
      </div>
    </div>
  );
}
