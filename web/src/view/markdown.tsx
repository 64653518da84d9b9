/** Markdown that may still be growing. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Source } from "../model";
import { Prose, type Seam } from "../prose";

export function Markdown(props: {
  text: string;
  done: boolean;
  sources: readonly Source[];
  /** Where the text was taken up again; null if it came in one. */
  seam: Seam | null;
}) {
  const { text, done, sources, seam } = props;
  const host = useRef<HTMLDivElement>(null);
  const prose = useRef<Prose | null>(null);
  useLayoutEffect(() => {
    if (host.current === null) return;
    prose.current ??= new Prose(host.current);
    prose.current.update(text, done, sources, seam);
  }, [text, done, sources, seam]);
  useLayoutEffect(() => () => prose.current?.dispose(), []);
  return <div class="prose" ref={host} />;
}
