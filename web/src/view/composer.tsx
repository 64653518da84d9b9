/** The field for the message, which goes to all panels. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { obstacle, stopReplies } from "../actions";
import { formatBytes } from "../attachments";
import * as draft from "../draft";
import { focusRequests } from "../focus";
import { isBusy } from "../model";
import { loadProviders, providersLoaded, unreachable } from "../providers";
import { current } from "../store";
import { Icon, IconButton } from "./icons";

export function Composer() {
  const area = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const conversation = current.value;
  const busy = isBusy(conversation);
  const several = conversation.panels.length > 1;
  const tooLong = draft.tooLong();
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
    if (!busy && draft.isSendable()) draft.submit();
  };
  const problems = [...draft.problems.value, ...(tooLong ? [tooLong] : [])];
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {problems.length > 0 && (
        <ul class="problems" data-testid="attach-problem">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      <Chips />
      <div class="composer-row">
        <IconButton icon="clip" label="Attach files" onClick={() => picker.current?.click()} />
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          data-testid="attach-input"
          aria-label="Attach files"
          onChange={(event) => {
            void draft.attachFiles([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        <textarea
          ref={area}
          rows={1}
          data-testid="composer"
          aria-label="Message"
          placeholder={several ? `Message ${conversation.panels.length} panels` : "Message"}
          value={draft.text.value}
          onInput={(event) => (draft.text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
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
        {busy ? (
          <button
            type="button"
            class="send stop"
            data-testid="stop-all"
            aria-label={several ? "Stop all replies" : "Stop the reply"}
            title="Stop (Esc)"
            onClick={() => stopReplies()}
          >
            <Icon name="stop" />
          </button>
        ) : (
          <button
            type="submit"
            class="send"
            data-testid="send"
            aria-label={several ? "Send to all panels" : "Send"}
            title="Send (Enter)"
            disabled={!draft.isSendable()}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
      <Foot />
    </form>
  );
}

function Chips() {
  if (draft.files.value.length === 0) return null;
  return (
    <ul class="chips" aria-label="Attached files">
      {draft.files.value.map((file) => (
        <li key={file.id} class="chip" data-testid="chip">
          <span class="chip-name">{file.name}</span>
          <span class="chip-size">{formatBytes(file.size)}</span>
          <IconButton icon="close" label={`Remove ${file.name}`} class="small" onClick={() => draft.removeFile(file)} />
        </li>
      ))}
    </ul>
  );
}

/** Tells the user, before sending, where the message goes. */
function Foot() {
  const panels = current.value.panels;
  if (unreachable.value !== null) {
    return (
      <p class="composer-foot" data-testid="unreachable">
        {unreachable.value}{" "}
        <button type="button" class="link" onClick={() => void loadProviders()}>
          Try again
        </button>
      </p>
    );
  }
  if (!providersLoaded.value) return <p class="composer-foot">Loading the list of providers…</p>;
  const blocked = panels.map(obstacle).find((reason) => reason !== null);
  if (blocked) return <p class="composer-foot">{blocked}</p>;
  const names = [...new Set(panels.map((panel) => panel.provider))];
  return (
    <p class="composer-foot">
      {names.length === 1 && names[0] === "local"
        ? "The embedded model answers; nothing leaves the server."
        : `Your message goes to ${names.join(", ")}.`}{" "}
      <span class="wide-only">The conversation is kept in this browser only.</span>
    </p>
  );
}
