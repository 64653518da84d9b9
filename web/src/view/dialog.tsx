/** A modal dialog, by the browser's own element: it keeps the focus inside, closes on Escape, and returns the focus. */

import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { texts } from "../texts";
import { IconButton } from "./icons";

export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  footer?: ComponentChildren;
  testId?: string;
  broad?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; the keyboard has Escape
    <dialog
      ref={dialog}
      class={`dialog${props.broad ? " broad" : ""}`}
      aria-labelledby={title}
      onClose={props.onClose}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
      {...(props.testId && { "data-testid": props.testId })}
    >
      <header>
        <h2 id={title}>{props.title}</h2>
        <IconButton icon="close" label={texts.act.close} onClick={() => dialog.current?.close()} />
      </header>
      {props.broad ? (
        // So that the keyboard can scroll it.
        <div class="dialog-in help" tabIndex={0} role="group" aria-labelledby={title}>
          {props.children}
        </div>
      ) : (
        <div class="dialog-in">{props.children}</div>
      )}
      {props.footer && <footer>{props.footer}</footer>}
    </dialog>
  );
}
