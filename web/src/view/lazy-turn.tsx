/** Draws only the turns of a long conversation that the reader is near to; of the others it keeps the room. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Turn } from "../model";
import { shownReply } from "../tree";

const FEW_TURNS = 40; // so many are drawn at once, and the browser's own search finds all of them
const LAST_TURNS = 4; // drawn at once in a long conversation, as it opens at its end
const NEAR = "1500px 0px";
const DRAWN_PER_FRAME = 3;

/** Return whether the turn at this place is drawn at once. */
export const isDrawnAtOnce = (place: number, count: number): boolean =>
  count <= FEW_TURNS || place >= count - LAST_TURNS;

/** Return about how high a turn is, in pixels. The nearer it is, the less the page jumps when it is drawn. */
export function roughHeight(turn: Turn): number {
  const lines = (text: string, length: number): number =>
    Math.ceil(text.length / length) + (text.match(/\n/g)?.length ?? 0) / 2;
  const question = turn.kind === "typed" ? 70 + 24 * Math.min(12, lines(turn.text, 60)) : 30;
  const content = shownReply(turn)?.content ?? "";
  return Math.round(question + 70 + 26 * lines(content, 85));
}

/** The observer of each scroller. */
const observers = new WeakMap<Element, IntersectionObserver>();
/** What draws the turn of an element. */
const drawers = new WeakMap<Element, () => void>();
/** The elements that are near and not drawn yet. One that is left behind before its frame is not drawn. */
const undrawn = new Set<Element>();
let frame = 0;

/** Draw a few turns with each frame, so that none takes long, however fast one scrolls. */
function drawSome(): void {
  frame = 0;
  for (const element of [...undrawn].slice(-DRAWN_PER_FRAME)) {
    undrawn.delete(element);
    drawers.get(element)?.();
  }
  drawSoon();
}

function drawSoon(): void {
  if (undrawn.size > 0 && frame === 0) frame = requestAnimationFrame(drawSome);
}

function noteNear(entries: readonly IntersectionObserverEntry[]): void {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) undrawn.add(target);
    else undrawn.delete(target);
  }
  drawSoon();
}

/** Call `draw` when the element is near to what the reader sees; return what ends that. */
function whenNear(element: Element, draw: () => void): () => void {
  const root = element.closest(".thread, .board");
  if (root === null || typeof IntersectionObserver === "undefined") {
    draw();
    return () => {};
  }
  const observer = observers.get(root) ?? new IntersectionObserver(noteNear, { root, rootMargin: NEAR });
  observers.set(root, observer);
  drawers.set(element, draw);
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    undrawn.delete(element);
  };
}

/** `atOnce`: whether to draw it wherever the reader is. What was drawn once stays. */
export function LazyTurn(props: { atOnce: boolean; height: () => number; draw: () => ComponentChildren }) {
  const section = useRef<HTMLElement>(null);
  const [drawn, setDrawn] = useState(props.atOnce);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height is asked for once
  useLayoutEffect(() => {
    const element = section.current;
    if (element === null) return;
    const height = `${props.height()}px`;
    element.style.minHeight = drawn ? "" : height;
    element.style.containIntrinsicBlockSize = `auto ${height}`; // until the browser has laid it out once
    return drawn ? undefined : whenNear(element, () => setDrawn(true));
  }, [drawn]);
  return (
    <section ref={section} class="turn" data-drawn={drawn} data-far={!props.atOnce}>
      {drawn && props.draw()}
    </section>
  );
}
