/** A question: what was asked, its versions, and the field in which it is edited. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { editQuestion, showQuestion } from "../actions";
import { copyText } from "../code";
import { editedTurn, editInPlace, stopEditing } from "../editing";
import { focusComposer } from "../focus";
import { isBusy, type Turn } from "../model";
import { current } from "../store";
import { texts } from "../texts";
import { toast } from "../toasts";
import { versionsOf } from "../tree";
import { IconButton } from "./icons";
import { Thumbnail } from "./thumbnail";
import { Versions } from "./versions";

const FOLDED_LINES = 12;
const FOLDED_LENGTH = 1200; // characters

export function Question({ panelId, turn }: { panelId: string; turn: Turn }) {
  if (editedTurn.value === turn.id) return <QuestionEditor panelId={panelId} turn={turn} />;
  const { place, count } = versionsOf(turn);
  return (
    <div class="ask" data-testid="question">
      <span class="off-screen">{texts.versions.you} </span>
      {turn.files.length > 0 && (
        <ul class="files" aria-label={texts.versions.files}>
          {turn.files.map((file) => (
            <li key={file.id}>
              <Thumbnail file={file} />
            </li>
          ))}
        </ul>
      )}
      <div class="ask-tools">
        {turn.askedAt && <AskedAt time={turn.askedAt} />}
        <IconButton
          icon="pencil"
          label={texts.versions.edit}
          class="small"
          testId="edit-question"
          disabled={isBusy(current.value)}
          onClick={() => editInPlace(turn)}
        />
        <IconButton
          icon="copy"
          label={texts.versions.copy}
          class="small"
          testId="copy-question"
          onClick={() => void copy(turn.text)}
        />
        <Versions
          label={texts.versions.ofQuestion}
          place={place}
          count={count}
          onShow={(other) => showQuestion(turn.id, other)}
        />
      </div>
      {turn.text && <QuestionText text={turn.text} />}
    </div>
  );
}

function QuestionText({ text }: { text: string }) {
  const long = text.length > FOLDED_LENGTH || text.split("\n", FOLDED_LINES + 1).length > FOLDED_LINES;
  const [folded, setFolded] = useState(true);
  return (
    <div class="ask-text" dir="auto">
      <div class="ask-words" data-folded={long && folded}>
        {text}
      </div>
      {long && (
        <button type="button" class="mini" aria-expanded={!folded} onClick={() => setFolded(!folded)}>
          {folded ? texts.versions.showAll : texts.versions.showLess}
        </button>
      )}
    </div>
  );
}

function AskedAt({ time }: { time: number }) {
  const date = new Date(time);
  const sameDay = date.toDateString() === new Date().toDateString();
  const clock = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString()}>
      {sameDay ? clock : date.toLocaleDateString([], { day: "numeric", month: "short" })}
    </time>
  );
}

async function copy(text: string): Promise<void> {
  toast((await copyText(text)) ? texts.code.copied : texts.act.notCopied);
}

function QuestionEditor({ panelId, turn }: { panelId: string; turn: Turn }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(turn.text);
  useLayoutEffect(() => {
    const area = field.current;
    if (area === null) return;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
    const place = area.closest<HTMLElement>(".turn");
    if (place === null) return;
    place.dataset.editing = "true"; // not by `:has()`, which makes each change of a long conversation dearer
    return () => {
      delete place.dataset.editing;
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const area = field.current;
    if (area === null) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text]);
  const empty = text.trim() === "" && turn.files.length === 0;
  const cancel = (): void => {
    stopEditing();
    focusComposer();
  };
  const submit = (): void => {
    if (empty || isBusy(current.value)) return;
    stopEditing();
    editQuestion(panelId, turn.id, text, turn.files);
  };
  return (
    <div class="ask">
      <form
        class="edit"
        aria-label={texts.versions.editor}
        data-testid="editor"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          event.stopPropagation();
          cancel();
        }}
      >
        <textarea
          ref={field}
          rows={2}
          dir="auto"
          aria-label={texts.versions.field}
          data-testid="editor-field"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            submit();
          }}
        />
        <div class="row">
          <span class="hint">{texts.versions.stays(versionsOf(turn).place + 1)}</span>
          <span class="row end">
            <button type="button" class="btn quiet wide button" data-testid="editor-cancel" onClick={cancel}>
              {texts.versions.cancel}
            </button>
            <button type="submit" class="btn primary wide button" data-testid="editor-send" disabled={empty}>
              {texts.versions.send}
            </button>
          </span>
        </div>
      </form>
    </div>
  );
}
