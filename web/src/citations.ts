/** Puts the numbers of the sources behind the words that rest on them.
 *
 * The places are in the markdown, and what is drawn is not. So a mark goes through the parser with the text: a space
 * without width, which ends a word or an address, and a character for private use, which stands for the number.
 */

import { safeLink } from "./markdown";
import { plainName } from "./media";
import type { Source } from "./model";
import { texts } from "./texts";

const FIRST = 0xe000;
const MARK = /\ufeff([\ue000-\uf8ff])/g;
const OWN_CHARACTERS = /[\ufeff\ue000-\uf8ff]/;
/** Lines that a mark at their end would turn into something else. */
const FIXED_LINE = /^\s*(?:`{3,}|~{3,}|\$\$|\\\[|[-=|:\s]+$)/;

/** Return the text with marks for the sources whose place is known. A text that has such characters stays as it is. */
export function markCitations(text: string, sources: readonly Source[]): string {
  if (sources.every(({ end }) => end === undefined) || OWN_CHARACTERS.test(text)) return text;
  const unitsAt = unitCounter(text);
  const marks = sources
    .flatMap(({ end }, index) => (typeof end === "number" ? [{ at: placeFor(text, unitsAt(end)), index }] : []))
    .filter(({ at, index }) => at !== null && FIRST + index <= 0xf8ff)
    .sort((one, other) => (one.at ?? 0) - (other.at ?? 0) || one.index - other.index);
  let marked = "";
  let from = 0;
  for (const { at, index } of marks) {
    marked += `${text.slice(from, at ?? from)}\ufeff${String.fromCharCode(FIRST + index)}`;
    from = at ?? from;
  }
  return marked + text.slice(from);
}

/** The server counts characters; JavaScript counts some of them twice. */
function unitCounter(text: string): (characters: number) => number {
  if (!/[\ud800-\udfff]/.test(text)) return (characters) => characters;
  const starts: number[] = [];
  let units = 0;
  for (const character of text) {
    starts.push(units);
    units += character.length;
  }
  return (characters) => starts[characters] ?? units;
}

/** Return where a mark can stand: before the space and the rule of a table that precede the place; null if nowhere. */
function placeFor(text: string, end: number): number | null {
  const before = text.slice(0, Math.max(0, end)).replace(/[\s|]+$/, "");
  const line = text.slice(before.lastIndexOf("\n") + 1).split("\n", 1)[0] ?? "";
  return before === "" || FIXED_LINE.test(line) ? null : before.length;
}

/** Put numbers in the place of marks; in code and in formulas, they are taken out. */
export function drawCitations(element: HTMLElement, sources: readonly Source[]): void {
  if (sources.length === 0) return;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found: Text[] = [];
  while (walker.nextNode())
    if (OWN_CHARACTERS.test(walker.currentNode.nodeValue ?? "")) found.push(walker.currentNode as Text);
  for (const node of found) {
    const isAsWritten = node.parentElement?.closest("code, .code-info, .formula") != null;
    const shown = node.data.split(MARK).map((piece, place): string | HTMLElement => {
      if (place % 2 === 0) return piece;
      const index = piece.charCodeAt(0) - FIRST;
      const source = sources[index];
      return isAsWritten || source === undefined ? "" : numberFor(source, index + 1, node);
    });
    node.replaceWith(...shown.filter((piece) => piece !== ""));
  }
}

function numberFor(source: Source, number: number, near: Text): HTMLElement {
  const href = near.parentElement?.closest("a") ? null : safeLink(source.url); // a link can hold no other
  const shown = document.createElement(href === null ? "span" : "a");
  shown.className = "cite";
  shown.textContent = String(number);
  const name = plainName(source.title || source.url || texts.sources.unnamed);
  shown.title = [name, source.text, href].filter(Boolean).join("\n");
  if (href !== null) {
    shown.setAttribute("href", href);
    shown.setAttribute("target", "_blank");
    shown.setAttribute("rel", "noopener noreferrer nofollow");
    shown.setAttribute("aria-label", `${texts.sources.number(number)}: ${name}`);
  }
  return shown;
}
