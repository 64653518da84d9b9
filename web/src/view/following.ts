/** Keeps a scroller at its end while text arrives, unless the reader has scrolled away from it. */

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const NEAR = 60; // pixels; a reader this close to the end counts as being there

export interface Following {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  /** Whether the reader is away from the end. */
  readonly away: boolean;
  /** Whether the reader is away from the start. */
  readonly scrolled: boolean;
  readonly toEnd: () => void;
  readonly onScroll: (event: { currentTarget: HTMLElement }) => void;
}

/** `key`: when it changes, the scroller goes to its end. */
export function useFollowing(key: unknown): Following {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const lastTop = useRef(0); // where it was scrolled to
  const [away, setAway] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const toEnd = (): void => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
    isFollowing.current = true;
    setAway(false);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: with the key, the elements may be others
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const element = scroller.current;
      if (element && isFollowing.current) element.scrollTop = element.scrollHeight;
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, [key]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of the key moves it to its end
  useLayoutEffect(toEnd, [key]);
  const onScroll = ({
    currentTarget: { scrollHeight, scrollTop, clientHeight },
  }: {
    currentTarget: HTMLElement;
  }): void => {
    // New text also moves the end away; only scrolling up means that the reader has left it.
    if (scrollHeight - scrollTop - clientHeight < NEAR) isFollowing.current = true;
    else if (scrollTop < lastTop.current) isFollowing.current = false;
    lastTop.current = scrollTop;
    setAway(!isFollowing.current);
    setScrolled(scrollTop > 4);
  };
  return { scroller, content, away, scrolled, toEnd, onScroll };
}
