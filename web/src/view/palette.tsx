/** The palette: every conversation, every command, every model, found by typing. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { choose } from "../actions";
import { focusComposer } from "../focus";
import { modelsOf, service } from "../providers";
import { type Excerpt, foldText, marksIn, searchConversations } from "../search";
import { commands, runCommand } from "../shortcuts";
import { conversations, current, openConversation } from "../store";
import { texts } from "../texts";
import { Marked } from "./conversation-row";
import { Icon, type IconName } from "./icons";
import { nextPlace } from "./menu";

interface Entry {
  readonly id: string;
  readonly group: string;
  readonly icon: IconName;
  readonly shown: Excerpt;
  /** What stands at the end of its line. */
  readonly more: string;
  readonly keys: readonly string[];
  readonly act: () => void;
}

const MOST_CONVERSATIONS = 8;
const MOST_MODELS = 6;

const plain = (text: string): Excerpt => ({ text, marks: [] });

/** Return the text with the places of the words in it; null if a word is not in it. */
function matched(text: string, words: readonly string[]): Excerpt | null {
  const low = foldText(text);
  return words.every((word) => low.includes(word)) ? { text, marks: marksIn(low, words) } : null;
}

/** Return what fits the query; all commands and the latest conversations if nothing was typed. */
export function entriesFor(query: string): Entry[] {
  const onlyCommands = query.startsWith(">");
  const words = foldText(query.replace(/^>/, "")).split(/\s+/).filter(Boolean);
  const found = commands().flatMap(({ name, label, icon, keys }): Entry[] => {
    const shown = matched(label, words);
    if (shown === null) return [];
    return [{ id: name, group: texts.palette.commands, icon, shown, more: "", keys, act: () => runCommand(name) }];
  });
  if (onlyCommands) return found;
  return [...conversationEntries(words), ...found, ...(words.length > 0 ? modelEntries(words) : [])];
}

function conversationEntries(words: readonly string[]): Entry[] {
  const fitting =
    words.length > 0
      ? searchConversations(conversations.value, words.join(" ")).map(({ conversation, title, excerpt }) => ({
          conversation,
          shown: title.marks.length > 0 || excerpt === null ? title : excerpt,
        }))
      : conversations.value.map((conversation) => ({
          conversation,
          shown: plain(conversation.title || texts.list.untitled),
        }));
  return fitting.slice(0, MOST_CONVERSATIONS).map(({ conversation, shown }) => ({
    id: conversation.id,
    group: texts.palette.conversations,
    icon: conversation.pinned ? "pin" : "clock",
    shown,
    more: new Date(conversation.updatedAt).toLocaleDateString("en", { day: "numeric", month: "short" }),
    keys: [],
    act: () => {
      openConversation(conversation.id);
      focusComposer();
    },
  }));
}

function modelEntries(words: readonly string[]): Entry[] {
  const named = service.value.providers.flatMap(({ name, ready, default_model }) => {
    const models = new Set([
      ...(ready && default_model ? [default_model] : []),
      ...modelsOf(name).models.map(({ id }) => id),
    ]);
    return [...models].map((model) => ({ provider: name, model }));
  });
  return named
    .flatMap(({ provider, model }): Entry[] => {
      const shown = matched(model, words);
      const act = (): void => {
        const [panel] = current.value.panels;
        if (panel) choose(panel.id, { provider, model });
        focusComposer();
      };
      return shown
        ? [
            {
              id: `${provider}/${model}`,
              group: texts.palette.models,
              icon: "spark",
              shown,
              more: provider,
              keys: [],
              act,
            },
          ]
        : [];
    })
    .slice(0, MOST_MODELS);
}

export function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const entries = entriesFor(query.trim());
  const place = Math.min(at, entries.length - 1);
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  useLayoutEffect(() => {
    dialog.current?.querySelector("[data-at=true]")?.scrollIntoView({ block: "nearest" });
  });
  const take = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    dialog.current?.close();
    entry.act();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the palette closes it; the keyboard has Escape
    <dialog
      ref={dialog}
      class="palette"
      aria-label={texts.palette.label}
      data-testid="palette"
      onClose={onClose}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
    >
      <div class="picker-find">
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={entries[place] ? `palette-${place}` : undefined}
          aria-label={texts.palette.field}
          placeholder={texts.palette.field}
          autofocus
          dir="auto"
          data-testid="palette-input"
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.isComposing) {
              event.preventDefault();
              take(entries[place]);
            }
            const next = event.key.startsWith("Arrow") ? nextPlace(event.key, place, entries.length) : null;
            if (next === null) return;
            event.preventDefault();
            setAt(next);
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <div class="picker-list" id="palette-list" role="listbox" aria-label={texts.palette.found}>
        {entries.map((entry, index) => (
          <>
            {entry.group !== entries[index - 1]?.group && <h3 role="presentation">{entry.group}</h3>}
            <button
              key={entry.id}
              type="button"
              class="cmd"
              role="option"
              id={`palette-${index}`}
              tabIndex={-1}
              aria-selected={index === place}
              data-at={index === place}
              data-testid="palette-entry"
              onClick={() => take(entry)}
            >
              <Icon name={entry.icon} />
              <span dir="auto">
                <Marked excerpt={entry.shown} />
              </span>
              {entry.keys.length > 0 ? <kbd>{entry.keys.join(" ")}</kbd> : <span>{entry.more}</span>}
            </button>
          </>
        ))}
        {entries.length === 0 && <p class="hint">{texts.palette.nothing}</p>}
      </div>
      <footer aria-hidden="true">
        <span>
          <kbd>↑</kbd>
          <kbd>↓</kbd>
          {texts.palette.choose}
        </span>
        <span>
          <kbd>⏎</kbd>
          {texts.palette.open}
        </span>
        <span>
          <kbd>&gt;</kbd>
          {texts.palette.commandsOnly}
        </span>
      </footer>
    </dialog>
  );
}
