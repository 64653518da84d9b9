/** Where the message is written, to whom it goes, and what goes with it. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { obstacle, stopReplies } from "../actions";
import { addressees, fileRefusals, toggleAddressee } from "../addressees";
import { brandOf, letterOf } from "../brands";
import * as draft from "../draft";
import { editLast } from "../editing";
import { focusRequests } from "../focus";
import { isBusy, type Panel } from "../model";
import { modelOf } from "../models";
import { findProvider, loadProviders, providersLoaded, service, unreachable } from "../providers";
import { current } from "../store";
import { texts } from "../texts";
import { Icon, IconButton } from "./icons";
import { openPicker } from "./picker";
import { Popover } from "./popover";
import { Queued } from "./queued";
import { Thumbnail } from "./thumbnail";

export function Composer() {
  const area = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const conversation = current.value;
  const busy = isBusy(conversation);
  const focusRequest = focusRequests.value;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the effect answers these changes
  useEffect(() => area.current?.focus(), [focusRequest, conversation.id]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text
  useLayoutEffect(() => {
    const field = area.current;
    if (field === null) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }, [draft.text.value]);

  const submit = (): void => {
    if (draft.isSendable()) draft.submit();
  };
  return (
    <form
      class="composer"
      id="message"
      aria-label={texts.composer.message}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Queued />
      <Files />
      <textarea
        ref={area}
        rows={1}
        dir="auto"
        data-testid="composer"
        aria-label={texts.composer.message}
        placeholder={placeholderFor(conversation.panels, busy)}
        value={draft.text.value}
        onInput={(event) => {
          draft.text.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowUp" && draft.text.value === "" && editLast()) event.preventDefault();
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          submit();
        }}
        onPaste={(event) => {
          const pasted = [...(event.clipboardData?.files ?? [])];
          if (pasted.length === 0) return;
          event.preventDefault();
          void draft.attachFiles(pasted);
        }}
      />
      <div class="composer-row">
        <IconButton icon="clip" label={texts.composer.attach} onClick={() => chooser.current?.click()} />
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          data-testid="attach-input"
          aria-label={texts.composer.attach}
          onChange={(event) => {
            void draft.attachFiles([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        <span class="gap" />
        <Addressee panels={conversation.panels} />
        <SendButton busy={busy} />
      </div>
    </form>
  );
}

function placeholderFor(panels: readonly Panel[], busy: boolean): string {
  const isNew = panels.every(({ turns }) => turns.length === 0);
  if (busy) return texts.composer.meanwhile;
  if (panels.length === 1) return isNew ? texts.composer.ask : texts.composer.message;
  return isNew && panels.length === 2 ? texts.composer.askBoth : texts.composer.askAll;
}

/** While a reply comes it stops; as soon as something is written, there is a second button that lets it wait. */
function SendButton({ busy }: { busy: boolean }) {
  const words = busy ? texts.composer.sendWhenDone : texts.composer.send;
  return (
    <>
      {busy && (
        <button
          type="button"
          class="send stop"
          data-testid="stop-all"
          aria-label={texts.composer.stop}
          title={texts.composer.stopTitle}
          onClick={() => stopReplies()}
        >
          <Icon name="stop" />
        </button>
      )}
      {(!busy || draft.isSendable()) && (
        <button
          type="submit"
          class="send"
          data-testid="send"
          aria-label={words}
          title={busy ? words : texts.composer.sendTitle}
          disabled={!draft.isSendable()}
        >
          <Icon name="send" />
        </button>
      )}
    </>
  );
}

/** To whom the message goes: one model, or which of several panels. */
function Addressee({ panels }: { panels: readonly Panel[] }) {
  const [opener, setOpener] = useState<HTMLElement | null>(null);
  const [only] = panels;
  if (panels.length === 1 && only) {
    return (
      <button
        type="button"
        class="to"
        data-testid="choose-model"
        data-who={only.id}
        aria-haspopup="dialog"
        title={texts.composer.who}
        disabled={isBusy(current.value)}
        onClick={(event) => openPicker(event.currentTarget, { panelId: only.id, purpose: "panel" })}
      >
        <span class="who">{brandOf(only.provider)}</span>
        <span class="what">{modelOf(only)}</span>
        <Icon name="chev" />
      </button>
    );
  }
  const asked = addressees(panels);
  return (
    <>
      <button
        type="button"
        class="to"
        data-testid="addressees"
        aria-haspopup="menu"
        aria-expanded={opener !== null}
        title={texts.composer.whom}
        onClick={(event) => setOpener(opener ? null : event.currentTarget)}
      >
        <span class="letters" aria-hidden="true">
          {panels.map((panel, place) =>
            asked.includes(panel) ? (
              <span key={panel.id} class="letter">
                {letterOf(place)}
              </span>
            ) : null,
          )}
        </span>
        <span class="who">
          {asked.length === panels.length
            ? texts.composer.all(panels.length)
            : texts.composer.some(asked.length, panels.length)}
        </span>
        <Icon name="chev" />
      </button>
      {opener && (
        <Popover opener={opener} label={texts.composer.whom} class="whom" atEnd onClose={() => setOpener(null)}>
          {panels.map((panel, place) => (
            <label key={panel.id} class="check">
              <input
                type="checkbox"
                data-testid="addressee"
                checked={asked.includes(panel)}
                disabled={asked.length === 1 && asked.includes(panel)}
                onChange={() => toggleAddressee(panel.id)}
              />
              <span class="letter" aria-hidden="true">
                {letterOf(place)}
              </span>
              <span>{`${brandOf(panel.provider)} ${modelOf(panel)}`.trim()}</span>
            </label>
          ))}
        </Popover>
      )}
    </>
  );
}

/** The files of the message, and for each panel that can't take one of them a line that says so before it is sent. */
function Files() {
  const files = draft.files.value;
  const tooLong = draft.tooLong();
  const problems = [...draft.problems.value, ...(tooLong ? [tooLong] : [])];
  const refusals = fileRefusals(current.value.panels, files);
  return (
    <>
      {files.length > 0 && (
        <ul class="files" aria-label={texts.composer.files}>
          {files.map((file) => (
            <li key={file.id}>
              <Thumbnail file={file} onRemove={() => draft.removeFile(file)} />
            </li>
          ))}
        </ul>
      )}
      {refusals.map(({ panel, words }) => (
        <div key={panel.id} class="notice" data-testid="file-refusal">
          <Icon name="alert" />
          <p>{words}</p>
          {current.value.panels.length > 1 && (
            <button type="button" onClick={() => toggleAddressee(panel.id)}>
              {texts.files.leaveOut(letterOf(current.value.panels.indexOf(panel)))}
            </button>
          )}
        </div>
      ))}
      {problems.length > 0 && (
        <ul class="problems" data-testid="attach-problem">
          {problems.map((problem) => (
            <li key={problem} class="problem">
              {problem}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** Tells, before sending, where the message goes. */
export function Under() {
  const panels = current.value.panels;
  if (unreachable.value !== null) {
    return (
      <p class="under" data-testid="unreachable">
        {unreachable.value}{" "}
        <button type="button" onClick={() => void loadProviders()}>
          {texts.composer.tryAgain}
        </button>
      </p>
    );
  }
  if (!providersLoaded.value) return <p class="under">{texts.composer.loading}</p>;
  const nobody = service.value.providers.every(({ ready, needs_key, local }) => !ready && (needs_key || local));
  const blocked = nobody ? texts.composer.nothingReady : panels.map(obstacle).find((reason) => reason !== null);
  if (blocked) {
    return (
      <p class="under blocked" data-testid="blocked">
        {blocked}
      </p>
    );
  }
  return <p class="under">{whereItGoes(panels)}</p>;
}

function whereItGoes(panels: readonly Panel[]) {
  const isLocal = (panel: Panel): boolean => findProvider(panel.provider)?.local ?? false;
  const away = [...new Set(panels.filter((panel) => !isLocal(panel)).map(({ provider }) => brandOf(provider)))];
  const here = panels.find(isLocal);
  const local = here ? texts.composer.local(modelOf(here) || texts.picker.embedded) : "";
  if (away.length === 0) return local;
  return (
    <>
      {texts.composer.goesTo(new Intl.ListFormat("en").format(away))}
      {local && ` ${local}`} <span class="wide-only">{texts.composer.kept}</span>
    </>
  );
}
