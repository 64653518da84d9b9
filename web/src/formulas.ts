/** Draws formulas with KaTeX, which is loaded when the first one comes.
 *
 * Rule: what was sent is never lost. Its text stays in the page, hidden behind the drawing, so that copying gives it; and
 * it stays to be seen if KaTeX can't be loaded, does not understand it, or is asked for what could reach outside (links,
 * images, classes). KaTeX builds its elements itself: set as HTML, their styles would break the page's policy.
 */

import type { KatexOptions } from "katex";

const MOST_DRAWN = 5000; // characters
const MOST_KEPT = 500; // drawings

interface Formula {
  readonly source: string;
  readonly display: boolean;
  /** What stands behind its end, such as a comma. */
  readonly rest: string;
}

const DELIMITED =
  /^\s*(?:\\\(([\s\S]*)\\\)|\\\[([\s\S]*)\\\]|\$\$([\s\S]*)\$\$|\$([^$]*)\$|(\\begin\{[\s\S]*\\end\{\w+\*?\}))\s*([.,;:]?)\s*$/;

/** Return what KaTeX is to draw; null if the text is better shown as it was sent. */
export function readFormula(raw: string): Formula | null {
  const found = DELIMITED.exec(raw);
  if (found === null || raw.length > MOST_DRAWN) return null;
  const [, round, square, double, single, environment, rest = ""] = found;
  if (single !== undefined && !looksLikeMath(single)) return null;
  const source = round ?? square ?? double ?? single ?? environment ?? "";
  if (source.trim() === "") return null;
  return { source, display: round === undefined && single === undefined, rest };
}

/** Whether a text between single dollars is no prose, as in "between $5 and 10$". */
const looksLikeMath = (text: string): boolean =>
  /[A-Za-z\\^_=<>+]/.test(text) && !/[\p{L}]{3,}/u.test(text.replace(/\\[A-Za-z]+(?:\s*\{[^{}]*\})?/g, " "));

type Render = (source: string, element: HTMLElement, options: KatexOptions) => void;

let render: Render | null = null;
let loading: Promise<void> | null = null;

/** Load KaTeX with its styles; return whether it is there. A failure is tried again with the next formula. */
async function load(): Promise<boolean> {
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([{ default: katex }]) => {
    render = katex.render;
  });
  try {
    await loading;
  } catch {
    loading = null;
  }
  return render !== null;
}

/** The latest drawings: a block that grows is drawn again and again. */
const drawings = new Map<string, HTMLElement | null>();

/** Draw the formulas in an element: at once if KaTeX is there, else as soon as it is. */
export function drawFormulas(element: HTMLElement): void {
  const places = element.querySelectorAll<HTMLElement>(".formula");
  if (places.length === 0) return;
  if (render !== null) for (const place of places) drawFormula(place, render);
  else void load().then((loaded) => loaded && drawFormulas(element));
}

function drawFormula(place: HTMLElement, draw: Render): void {
  if (place.dataset.drawn) return;
  const raw = place.textContent ?? "";
  const formula = readFormula(raw);
  const drawing = formula && drawingOf(formula, draw);
  if (!formula || !drawing) return;
  const source = document.createElement("span");
  source.className = "formula-source";
  source.textContent = raw;
  source.ariaHidden = "true"; // the drawing holds the formula for screen readers
  place.replaceChildren(source, drawing);
  place.dataset.drawn = formula.display ? "block" : "inline";
}

function drawingOf({ source, display, rest }: Formula, draw: Render): HTMLElement | null {
  const key = `${display} ${rest} ${source}`;
  const known = drawings.get(key);
  if (known !== undefined) return known && (known.cloneNode(true) as HTMLElement);
  const made = makeDrawing(source, display, draw);
  if (made && rest) made.append(rest);
  drawings.set(key, made);
  for (const oldest of [...drawings.keys()].slice(0, -MOST_KEPT)) drawings.delete(oldest);
  return made && (made.cloneNode(true) as HTMLElement);
}

function makeDrawing(source: string, displayMode: boolean, draw: Render): HTMLElement | null {
  const drawing = document.createElement("span");
  drawing.className = "formula-drawn";
  drawing.dir = "ltr";
  if (displayMode) drawing.tabIndex = 0; // so that the keyboard can scroll it
  try {
    draw(source, drawing, {
      displayMode,
      throwOnError: true,
      strict: "ignore",
      trust: refuse,
      maxExpand: 500,
      maxSize: 20,
    });
    return drawing;
  } catch {
    return null; // KaTeX does not understand it, so it is shown as it was sent
  }
}

/** KaTeX asks whether it may make a link, an image, a class and the like. It would draw the name alone if it may not. */
function refuse(): boolean {
  throw new Error("a formula reaches outside");
}
