/** Parts of a reply that are not text, as a page may show them. Pure.
 *
 * Rule: a media type is shown only if it is on a list here; anything else, `text/html` above all, is a file to save. An
 * image or sound is shown only if its bytes are here: fetching an address would tell that address who looks.
 */

import { PART_WORDS } from "msgmodel-client/wording";
import { safeLink } from "./markdown";
import type { PanelPart } from "./model";

/** The ending of a saved file by its media type. SVG is drawn as an `img`, in which a browser runs no script. */
const IMAGES: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/webp": "webp",
  "image/gif": "gif",
  "image/avif": "avif",
  "image/svg+xml": "svg",
};
const SOUNDS: Readonly<Record<string, string>> = {
  "audio/wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
  "audio/aac": "aac",
  "audio/flac": "flac",
  "audio/ogg": "ogg",
  "audio/opus": "opus",
};
const FILES: Readonly<Record<string, string>> = {
  "application/pdf": "pdf",
  "application/json": "json",
  "text/plain": "txt",
  "text/csv": "csv",
  "text/markdown": "md",
};
const ENDINGS = { ...IMAGES, ...SOUNDS, ...FILES };

/** Controls, and characters that reorder or hide text. The joiners U+200C and U+200D stay: Persian and emoji need them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Return a name or title without such characters: they could show another ending, or another tool, than there is. */
export const plainName = (name: string): string => name.replace(HIDDEN, "");

export interface ShownPart {
  readonly shape: "image" | "sound" | "file" | "link" | "kept";
  /** What stands beside it, and for a picture what it shows. */
  readonly words: string;
  readonly name: string;
  readonly type: string;
  /** The data: URL of an image or sound, or the address of a link. */
  readonly address: string;
  /** Base64, if there is something to save. */
  readonly data: string;
}

/** Return how a part is shown. `number`: its place in the reply, from 1. */
export function shownPart(part: PanelPart, number: number): ShownPart {
  const { type, data } = bytesOf(part);
  const known = Object.hasOwn(ENDINGS, type) ? type : "application/octet-stream";
  const label = PART_WORDS[part.kind];
  const given = plainName(part.name ?? "").replace(/^.*[/\\]/, "");
  const name = given || `${part.kind}-${number}.${ENDINGS[known] ?? "bin"}`;
  const words = (part.text ?? "").replace(HIDDEN, " ").trim() || `${label} from the model`;
  const shown = { words, name, type: known, data, address: "" };
  const inline = { ...shown, address: `data:${known};base64,${data}` };
  if (data && Object.hasOwn(IMAGES, known)) return { ...inline, shape: "image" };
  if (data && Object.hasOwn(SOUNDS, known)) return { ...inline, shape: "sound" };
  if (data) return { ...shown, shape: "file" };
  const link = safeLink(part.url);
  if (link !== null) return { ...shown, shape: "link", address: link, name: given || label };
  return { ...shown, shape: "kept", name: given || label };
}

function bytesOf(part: PanelPart): { type: string; data: string } {
  const given = (part.media_type ?? "").toLowerCase();
  if (part.data) return { type: given, data: part.data };
  const found = /^data:([^;,]*);base64,([A-Za-z0-9+/=]+)$/i.exec(part.url ?? "");
  return found ? { type: given || (found[1] ?? "").toLowerCase(), data: found[2] ?? "" } : { type: given, data: "" };
}
