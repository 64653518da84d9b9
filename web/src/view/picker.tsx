/** Who answers: one list of models, searched as one types. Enter takes a model, Ctrl+Enter puts it beside. */

import { signal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { addPanel, answerAgain, askToCheck, choose, panelLimit } from "../actions";
import { brandOf, initialsOf } from "../brands";
import { focusComposer } from "../focus";
import { askable, type Choice, groupsFor, isCurrent, noteChoice, type Row } from "../models";
import { loadModels, mayRun, service } from "../providers";
import { current } from "../store";
import { texts } from "../texts";
import { Icon } from "./icons";
import { Popover } from "./popover";

/** `panel`: the panel is asked with it from now on. `again`: the turn is answered by it. `beside`: in a new panel.
 * `check`: it is asked about the answer of another. */
export interface PickerTask {
  readonly purpose: "panel" | "again" | "beside" | "check";
  readonly panelId: string;
  readonly turnId?: string;
}

const open = signal<{ opener: HTMLElement; task: PickerTask } | null>(null);

export function openPicker(opener: HTMLElement, task: PickerTask): void {
  open.value = { opener, task };
}

const close = (): void => {
  open.value = null;
};

export function PickerHost() {
  if (open.value === null) return null;
  const { opener, task } = open.value;
  return (
    <Popover opener={opener} label={texts.picker.title} class="picker" atEnd onClose={close} testId="picker">
      <Picker task={task} />
    </Popover>
  );
}

function take(task: PickerTask, { provider, model }: Choice, beside: boolean): void {
  const choice = { provider, model };
  noteChoice(choice);
  close();
  if (beside || task.purpose === "beside") addPanel(choice);
  else if (task.purpose === "again" && task.turnId) answerAgain(task.panelId, task.turnId, choice);
  else if (task.purpose === "check") askToCheck(task.panelId, choice);
  else choose(task.panelId, choice);
  focusComposer();
}

function Picker({ task }: { task: PickerTask }) {
  const id = useId();
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const panel = current.value.panels.find((other) => other.id === task.panelId) ?? current.value.panels[0];
  const inUse: Choice = panel ?? { provider: "", model: "" };
  const groups = groupsFor(query, inUse);
  const rows = groups.flatMap((group) => group.rows);
  const selected = rows[Math.min(at, rows.length - 1)];
  const canAdd = current.value.panels.length < panelLimit();
  useEffect(() => {
    for (const { name } of askable()) void loadModels(name);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the row that is chosen stays in sight
  useLayoutEffect(() => list.current?.querySelector("[data-at]")?.scrollIntoView({ block: "nearest" }), [at, query]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && rows.length > 0) {
      event.preventDefault();
      setAt((Math.min(at, rows.length - 1) + step + rows.length) % rows.length);
    } else if (event.key === "Enter" && selected && !event.isComposing) {
      event.preventDefault();
      takeRow(selected, (event.ctrlKey || event.metaKey) && canAdd);
    }
  };
  const takeRow = (row: Row, beside: boolean): void => {
    if (row.model === "" && !row.isTyped) setQuery(`${row.provider} `);
    else take(task, row, beside);
  };
  return (
    <>
      <div class="picker-find">
        <Icon name="search" />
        <input
          {...{ list: undefined }}
          role="combobox"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-label={texts.picker.search}
          aria-activedescendant={selected ? `${id}-${rows.indexOf(selected)}` : undefined}
          placeholder={texts.picker.search}
          data-focus
          data-testid="picker-search"
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div class="picker-list" ref={list} tabIndex={0} role="group" aria-label={texts.picker.list}>
        {rows.length === 0 && <p class="hint none">{texts.picker.nothing}</p>}
        <div id={`${id}-list`} role="listbox" aria-label={texts.picker.list}>
          {groups.map((group) => (
            <div key={group.title} role="group" aria-label={group.title}>
              <h3 role="presentation">
                {group.title} <span>{group.more}</span>
              </h3>
              {group.rows.map((row) => (
                <ModelRow
                  key={row.key}
                  id={`${id}-${rows.indexOf(row)}`}
                  row={row}
                  isHere={isCurrent(row, inUse)}
                  isAt={row === selected}
                  canAdd={canAdd}
                  onTake={(beside) => takeRow(row, beside)}
                />
              ))}
            </div>
          ))}
        </div>
        <Unready />
      </div>
      <footer>
        <span>
          <kbd>↑</kbd>
          <kbd>↓</kbd>
          {texts.picker.choose}
        </span>
        <span>
          <kbd>⏎</kbd>
          {texts.picker.take}
        </span>
        <span>{texts.picker.prices}</span>
      </footer>
    </>
  );
}

function ModelRow(props: {
  id: string;
  row: Row;
  isHere: boolean;
  isAt: boolean;
  canAdd: boolean;
  onTake: (beside: boolean) => void;
}) {
  const { id, row, isHere, isAt, canAdd, onTake } = props;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keys, and names this row as the active one
    <div
      id={id}
      class="model"
      role="option"
      tabIndex={-1}
      aria-selected={isHere}
      data-testid="model"
      data-provider={row.provider}
      data-model={row.model}
      {...(isAt && { "data-at": true })}
      onClick={(event) => onTake((event.ctrlKey || event.metaKey) && canAdd)}
    >
      <span class="maker" aria-hidden="true">
        {initialsOf(row.provider)}
      </span>
      <span class="model-name">
        <b>{row.title}</b>
        {row.more && <small>{row.more}</small>}
      </span>
      {isHere ? (
        <span class="mark-here">
          <Icon name="check" />
        </span>
      ) : (
        isAt &&
        canAdd &&
        !row.isTyped && (
          <span class="beside" aria-hidden="true">
            <kbd>Ctrl ⏎</kbd> {texts.picker.beside}
          </span>
        )
      )}
    </div>
  );
}

/** The providers that can't be asked: one folded line. */
function Unready() {
  const unready = service.value.providers.filter((provider) => !provider.ready && !mayRun(provider));
  if (unready.length === 0) return null;
  return (
    <details class="unready" data-testid="unready">
      <summary>
        <Icon name="fold" />
        {texts.picker.unready(unready.length)}
      </summary>
      <p class="hint">{texts.picker.unreadyMore(unready.map(({ name }) => brandOf(name)).join(", "))}</p>
    </details>
  );
}
