/** Which panels get the next message: all, except those that the user has left out. */

import { signal } from "@preact/signals";
import { brandOf, letterOf, shortModel } from "./brands";
import type { Attachment, Panel } from "./model";
import { modelOf } from "./models";
import { findProvider, service } from "./providers";
import { texts } from "./texts";

const leftOut = signal<ReadonlySet<string>>(new Set());

/** Return the panels that get the next message, at least one. */
export function addressees(panels: readonly Panel[]): Panel[] {
  const kept = panels.filter(({ id }) => !leftOut.value.has(id));
  return kept.length > 0 ? kept : [...panels];
}

export function toggleAddressee(panelId: string): void {
  const changed = new Set(leftOut.value);
  if (!changed.delete(panelId)) changed.add(panelId);
  leftOut.value = changed;
}

export interface FileRefusal {
  readonly panel: Panel;
  readonly words: string;
}

/** Return which of the panels that are asked can't take one of the files, with words that say so. */
export function fileRefusals(panels: readonly Panel[], files: readonly Attachment[]): FileRefusal[] {
  const asked = addressees(panels);
  const refused = asked.map((panel) => ({ panel, refused: files.filter((file) => !takesFile(panel, file)) }));
  const others = refused
    .filter((each) => each.refused.length === 0)
    .map(({ panel }) => letterOf(panels.indexOf(panel)));
  return refused
    .filter((each) => each.refused.length > 0)
    .map(({ panel, refused: files }) => ({ panel, words: wordsFor(panels, panel, files, others) }));
}

/** Whether a panel's provider takes a file; if the server does not say, it may. */
function takesFile({ provider }: Panel, { type, name, size }: Attachment): boolean {
  const taken = service.value.files?.[findProvider(provider)?.wire ?? ""];
  if (!taken) return true;
  const isText = type === "" || type.startsWith("text/") || TEXT_LIKE.test(type) || TEXT_NAMES.test(name);
  const most = isText ? taken.text : taken.types[type];
  return most !== undefined && size <= most;
}

const TEXT_LIKE = /^application\/(?:json|xml|javascript|x-sh|toml|yaml|x-yaml|sql)$/;
const TEXT_NAMES = /\.(?:md|txt|csv|json|ya?ml|toml|xml|html?|css|[jt]sx?|py|rs|go|c|h|cpp|java|sh|sql|log|ini)$/i;

function wordsFor(panels: readonly Panel[], panel: Panel, files: readonly Attachment[], others: string[]): string {
  const names = new Intl.ListFormat("en").format(files.map(({ name }) => name));
  if (panels.length === 1) return texts.files.cannotRead(shortModel(modelOf(panel)) || brandOf(panel.provider), names);
  const letter = letterOf(panels.indexOf(panel));
  const cannot = texts.files.cannotTake(letter, names);
  if (others.length === 0) return cannot;
  const listed = new Intl.ListFormat("en").format(others);
  return `${cannot} ${others.length === 1 ? texts.files.otherGets(listed) : texts.files.othersGet(listed)}`;
}
