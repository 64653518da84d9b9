/** Draws a growing markdown text into an element, block by block.
 *
 * Rule: a block that can't change any more is never drawn again; what a frame costs depends on the open block, not on
 * the length of the reply. Once the text is whole everything is read once more, for what only the whole text can tell
 * (links that are defined at its end), and only blocks that differ are drawn again.
 */

import { dressCode, openCode } from "./code";
import { type Block, blocks, draw } from "./markdown";

interface Drawn {
  raw: string;
  element: HTMLElement;
  /** Where the block is an unfinished code fence: its text can grow without being drawn again. */
  grow: ((text: string) => void) | null;
  /** What is written behind the fence. */
  info: string;
}

export class Prose {
  #drawn: Drawn[] = [];
  #closed = 0; // blocks that are never looked at again while the text grows
  #closedLength = 0;
  #text = "";
  #done = false;
  #restUntil = 0;
  #waiting = 0;

  constructor(private readonly host: HTMLElement) {}

  /** Shows `text`. Called once a frame while it grows; blocks that take long are drawn less often. */
  update(text: string, done: boolean): void {
    if (text === this.#text && done === this.#done) return;
    if (!text.startsWith(this.#text)) this.#forget();
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

  #forget(): void {
    this.#drawn = [];
    this.#closed = this.#closedLength = 0;
    this.host.replaceChildren();
  }

  #render(): void {
    window.clearTimeout(this.#waiting);
    this.#waiting = 0;
    const began = performance.now();
    if (this.#done) this.#finish();
    else this.#grow();
    const cost = performance.now() - began;
    this.#restUntil = cost > 6 ? performance.now() + 3 * cost : 0; // a quarter of the time at most
  }

  #grow(): void {
    const tail = blocks(this.#text.slice(this.#closedLength)).blocks;
    this.#show(tail, this.#closed, false);
    // Everything before the last block that is not blank is closed; a list may go on after a blank line.
    const last = tail.findLastIndex(({ token }) => token.type !== "space");
    for (const { raw } of tail.slice(0, Math.max(0, last))) {
      this.#closed += 1;
      this.#closedLength += raw.length;
    }
  }

  #finish(): void {
    const whole = blocks(this.#text);
    if (Object.keys(whole.links).length > 0) this.#forget();
    this.#show(whole.blocks, 0, true);
    this.#closed = this.#closedLength = 0;
  }

  #show(found: Block[], from: number, whole: boolean): void {
    found.forEach((block, offset) => {
      const place = from + offset;
      const before = this.#drawn[place];
      const open = !whole && offset === found.length - 1;
      if (before?.raw === block.raw && (open || before.grow === null)) return;
      const code = open && block.token.type === "code" ? (block.token.text as string) : null;
      if (code !== null && before?.grow && before.info === info(block) && block.raw.startsWith(before.raw)) {
        before.raw = block.raw;
        before.grow(code);
        return;
      }
      const made = this.#element(block, code);
      if (before) before.element.replaceWith(made.element);
      else this.host.append(made.element);
      this.#drawn[place] = made;
    });
    for (const stale of this.#drawn.splice(from + found.length)) stale.element.remove();
  }

  #element(block: Block, growing: string | null): Drawn {
    const element = document.createElement("div");
    element.className = "block";
    if (growing !== null) {
      const { figure, grow } = openCode(info(block), growing);
      element.append(figure);
      return { raw: block.raw, element, grow, info: info(block) };
    }
    element.append(draw(block));
    for (const table of element.querySelectorAll("table")) {
      const scroller = document.createElement("div");
      scroller.className = "table-scroll";
      scroller.tabIndex = 0; // so that the keyboard can scroll it
      scroller.setAttribute("role", "group");
      scroller.setAttribute("aria-label", "Table");
      table.replaceWith(scroller);
      scroller.append(table);
    }
    dressCode(element);
    return { raw: block.raw, element, grow: null, info: "" };
  }
}

const info = ({ token }: Block): string => ("lang" in token && typeof token.lang === "string" ? token.lang : "");
