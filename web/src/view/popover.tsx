/** What floats at the button that opened it, by the browser's own popover: a click beside it or Escape closes it, and
 * the focus returns. On a phone it comes from below (style/narrow.css). */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const GAP = 8; // pixels between the button, the popover and the rim of the window

export function Popover(props: {
  opener: HTMLElement;
  label: string;
  class: string;
  onClose: () => void;
  children: ComponentChildren;
  testId?: string;
  /** Whether it ends where the button ends, instead of beginning where the button begins. */
  atEnd?: boolean;
}) {
  const host = useRef<HTMLDivElement>(null);
  const { opener, onClose, atEnd } = props;
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    element.showPopover?.();
    const place = (): void => placeAt(element, opener, atEnd ?? false);
    place();
    (element.querySelector<HTMLElement>("[data-focus]") ?? element).focus({ preventScroll: true });
    const observer = new ResizeObserver(place);
    observer.observe(element);
    addEventListener("resize", place);
    return () => {
      observer.disconnect();
      removeEventListener("resize", place);
    };
  }, [opener, atEnd]);
  return (
    <div
      ref={host}
      popover="auto"
      role="dialog"
      aria-label={props.label}
      tabIndex={-1}
      class={`pop from-below ${props.class}`}
      onToggle={(event) => event.newState === "closed" && onClose()}
      {...(props.testId && { "data-testid": props.testId })}
    >
      {props.children}
    </div>
  );
}

function placeAt(element: HTMLElement, opener: HTMLElement, atEnd: boolean): void {
  const at = opener.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const fromRight = atEnd !== (getComputedStyle(opener).direction === "rtl");
  const left = fromRight || at.left + width > innerWidth - GAP ? at.right - width : at.left;
  const above = at.top - height - GAP;
  const below = at.bottom + GAP;
  const top = below + height < innerHeight - GAP || above < GAP ? Math.min(below, innerHeight - height - GAP) : above;
  element.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
  element.style.top = `${Math.max(GAP, top)}px`;
}
