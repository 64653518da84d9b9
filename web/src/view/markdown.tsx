/** Markdown that may still be growing. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { Prose } from "../prose";

export function Markdown({ text, done }: { text: string; done: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const prose = useRef<Prose | null>(null);
  useLayoutEffect(() => {
    if (host.current === null) return;
    prose.current ??= new Prose(host.current);
    prose.current.update(text, done);
  }, [text, done]);
  useLayoutEffect(() => () => prose.current?.dispose(), []);
  return <div class="prose" ref={host} />;
}
