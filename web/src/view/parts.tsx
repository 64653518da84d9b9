/** What hangs on a reply: images, sounds and files that the model made, and the sources that it cites. */

import { useState } from "preact/hooks";
import { announce } from "../announce";
import { formatBytes } from "../attachments";
import { fromBase64 } from "../base64";
import { safeLink } from "../markdown";
import { plainName, type ShownPart, shownPart } from "../media";
import type { PanelPart, Source } from "../model";
import { texts } from "../texts";
import { download } from "../transfer";
import { Icon, IconButton } from "./icons";

export function Parts({ parts, model, done }: { parts: readonly PanelPart[]; model: string; done: boolean }) {
  if (parts.length === 0) return null;
  return (
    <ul class="parts" data-testid="parts" aria-label={texts.part.list}>
      {parts.map((part, index) => (
        <li key={part.id} class="part" data-testid="part" data-complete={part.complete}>
          <PartView part={part} shown={shownPart(part, index + 1)} model={model} done={done} />
        </li>
      ))}
    </ul>
  );
}

function PartView({ part, shown, model, done }: { part: PanelPart; shown: ShownPart; model: string; done: boolean }) {
  const [large, setLarge] = useState(false);
  const [pixels, setPixels] = useState("");
  const state = part.complete ? "" : done ? texts.part.incomplete : texts.part.preview;
  const size = part.size === null ? "" : formatBytes(part.size);
  const isImage = shown.shape === "image";
  return (
    <figure class={isImage ? "made" : "other"} data-shape={shown.shape} data-large={large}>
      {isImage && (
        <button
          type="button"
          class="picture"
          data-testid="picture"
          aria-pressed={large}
          aria-label={large ? texts.part.small(shown.words) : texts.part.large(shown.words)}
          onClick={() => setLarge(!large)}
        >
          <img
            src={shown.address}
            alt={shown.words}
            loading="lazy"
            onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
              setPixels(naturalWidth ? `${naturalWidth} × ${naturalHeight}` : "")
            }
          />
        </button>
      )}
      {isImage && shown.data && (
        <span class="over">
          <IconButton
            icon="download"
            label={texts.part.save(shown.name)}
            class="s"
            testId="save-part"
            onClick={() => save(shown)}
          />
        </span>
      )}
      {shown.shape === "sound" && (
        // biome-ignore lint/a11y/useMediaCaption: its transcript, if the provider sent one, stands below it
        <audio controls preload="metadata" src={shown.address} aria-label={shown.words} />
      )}
      <figcaption>
        {!isImage && <Icon name="file" class="s" />}
        {isImage ? texts.part.madeBy(model) : <PartName shown={shown} />}
        {[pixels, size, state].filter(Boolean).map((fact) => (
          <span key={fact} class="fact">
            {fact}
          </span>
        ))}
        {shown.shape === "kept" && (
          <span class="fact">{part.file_id ? texts.part.keptAs(part.file_id) : texts.part.notSent}</span>
        )}
        {!isImage && shown.data && (
          <IconButton
            icon="download"
            label={texts.part.save(shown.name)}
            class="s"
            testId="save-part"
            onClick={() => save(shown)}
          />
        )}
      </figcaption>
      {shown.shape === "sound" && part.text && (
        <p class="transcript" dir="auto">
          {part.text}
        </p>
      )}
    </figure>
  );
}

function PartName({ shown }: { shown: ShownPart }) {
  if (shown.shape !== "link") return <span class="part-name">{shown.name}</span>;
  return (
    <a class="part-name" href={shown.address} target="_blank" rel="noopener noreferrer nofollow">
      {shown.name}
    </a>
  );
}

function save(shown: ShownPart): void {
  try {
    download(fromBase64(shown.data, "application/octet-stream"), shown.name);
  } catch {
    announce(texts.part.unreadable);
  }
}

/** Sources as chips with their numbers. A source that has no address that may be opened is a chip that can't be. */
export function Sources({ sources }: { sources: readonly Source[] }) {
  return (
    <section class="sources" data-testid="sources" aria-label={texts.sources.list}>
      {sources.map((source, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list only grows
        <SourceChip key={index} source={source} number={index + 1} />
      ))}
    </section>
  );
}

function SourceChip({ source, number }: { source: Source; number: number }) {
  const href = safeLink(source.url);
  const name = plainName(source.title || source.url || source.text || texts.sources.unnamed);
  const host = href ? new URL(href).host.replace(/^www\./, "") : "";
  const title = [name, source.text !== name && source.text, source.date, href].filter(Boolean).join("\n");
  const inside = (
    <>
      <i aria-hidden="true">{number}</i>
      <span>{name}</span>
      {host && host !== name && <small>{host}</small>}
    </>
  );
  if (href === null) {
    return (
      <span class="source" title={title}>
        {inside}
      </span>
    );
  }
  return (
    <a class="source" href={href} title={title} target="_blank" rel="noopener noreferrer nofollow">
      {inside}
    </a>
  );
}
