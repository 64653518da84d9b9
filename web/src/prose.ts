/** Draws a growing markdown text into an element, block by block.
 *
 * Rule: a block that can't change any more is never drawn again, so the cost of a frame depends on the open block and
 * not on the length of the reply. Once the text is complete it is parsed once more as a whole, because links may be
 * defined at its end; only blocks that differ are drawn again.
 */

import { drawCitations, markCitations } from "./citations";
import { decorateCode, openCode } from "./code";
import { drawFormulas } from "./formulas";
import { type Block, drawBlock, fenceInfo, parseBlocks } from "./markdown";
import type { Source } from "./model";
import { decorateTables } from "./tables";

const LEAST_REST = 50; // ms; text that is drawn more often is not read sooner, and the layout costs more than the drawing

/** A line between two blocks, behind so many characters of the text. */
export interface Seam {
  readonly at: number;
  readonly words: string;
}

interface DrawnBlock {
  raw: string;
  element: HTMLElement;
  /** For an unfinished code fence: replaces its text without drawing the block again. */
  grow: ((text: string) => void) | null;
  /** What stands behind the opening fence. */
  info: string;
}

export class Prose {
  #drawn: DrawnBlock[] = [];
  #closed = 0; // how many blocks are not parsed again while the text grows
  #closedLength = 0;
  #text = "";
  #done = false;
  #restUntil = 0;
  #waiting = 0;
  #sources: readonly Source[] = [];
  #seam: Seam | null = null;

  /** `leastRest`: ms between two drawings of a text that grows. */
  constructor(
    private readonly host: HTMLElement,
    private readonly leastRest = LEAST_REST,
  ) {}

  /** Show a text. Called once per frame while it grows; blocks that take long are drawn less often. */
  update(plain: string, done: boolean, sources: readonly Source[] = [], seam: Seam | null = null): void {
    const text = done ? markCitations(plain, sources) : plain; // marks would change what is drawn already
    if (text === this.#text && done === this.#done && seam?.at === this.#seam?.at) return;
    this.#sources = text === plain ? [] : sources;
    this.#seam = seam;
    if (!text.startsWith(this.#text)) this.#clear();
    this.#text = text;
    this.#done = done;
    const now = performance.now();
    if (!done && now < this.#restUntil) {
      this.#waiting ||= window.setTimeout(() => this.#render(), this.#restUntil - now);
      return;
    }
    this.#render();
  }

  dispose(): void {
    window.clearTimeout(this.#waiting);
  }

  #clear(): void {
    this.#drawn = [];
    this.#closed = 0;
    this.#closedLength = 0;
    this.host.replaceChildren();
  }

  #render(): void {
    window.clearTimeout(this.#waiting);
    this.#waiting = 0;
    const began = performance.now();
    if (this.#done) this.#finish();
    else this.#grow();
    const cost = performance.now() - began;
    this.#restUntil = performance.now() + Math.max(this.leastRest, 3 * cost); // drawing takes a quarter of the time at most
  }

  #grow(): void {
    const tail = parseBlocks(this.#text.slice(this.#closedLength)).blocks;
    this.#show(tail, this.#closed, false);
    // Every block before the last one that is not blank is closed; a list may go on after a blank line.
    const last = tail.findLastIndex(({ token }) => token.type !== "space");
    for (const { raw } of tail.slice(0, Math.max(0, last))) {
      this.#closed += 1;
      this.#closedLength += raw.length;
    }
  }

  #finish(): void {
    const parsed = parseBlocks(this.#text);
    if (Object.keys(parsed.links).length > 0) this.#clear();
    this.#show(parsed.blocks, 0, true);
    this.#closed = 0;
    this.#closedLength = 0;
  }

  #show(found: Block[], from: number, complete: boolean): void {
    found.forEach((block, offset) => {
      const place = from + offset;
      const before = this.#drawn[place];
      const open = !complete && offset === found.length - 1;
      if (before?.raw === block.raw && (open || before.grow === null)) return;
      const code = open && block.token.type === "code" ? (block.token.text as string) : null;
      if (code !== null && before?.grow && before.info === fenceInfo(block.token) && block.raw.startsWith(before.raw)) {
        before.raw = block.raw;
        before.grow(code);
        return;
      }
      const made = this.#drawElement(block, code);
      if (before) before.element.replaceWith(made.element);
      else this.host.append(made.element);
      this.#drawn[place] = made;
    });
    for (const stale of this.#drawn.splice(from + found.length)) stale.element.remove();
    this.#showSeam();
  }

  /** Put the seam behind the block that holds its place. */
  #showSeam(): void {
    const shown = this.host.querySelector(":scope > .seam");
    if (this.#seam === null) {
      shown?.remove();
      return;
    }
    let length = 0;
    const { at, words } = this.#seam;
    const block = this.#drawn.find(({ raw }) => {
      length += raw.length;
      return length >= at;
    });
    if (block === undefined || (shown !== null && block.element.nextElementSibling === shown)) return;
    const seam = shown ?? document.createElement("p");
    seam.className = "seam";
    seam.textContent = words;
    block.element.after(seam);
  }

  #drawElement(block: Block, growing: string | null): DrawnBlock {
    const element = document.createElement("div");
    element.className = "block";
    element.dir = "auto"; // by its own first letters: a reply may hold several languages
    if (growing !== null) {
      const { figure, grow } = openCode(fenceInfo(block.token), growing);
      element.append(figure);
      return { raw: block.raw, element, grow, info: fenceInfo(block.token) };
    }
    element.append(drawBlock(block));
    drawCitations(element, this.#sources);
    decorateTables(element);
    decorateCode(element);
    drawFormulas(element);
    return { raw: block.raw, element, grow: null, info: "" };
  }
}
