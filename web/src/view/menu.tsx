/** A menu at its button: the arrows move in it, Escape and a click elsewhere close it. */

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";

export interface MenuItem {
  readonly icon: IconName;
  readonly label: string;
  readonly act: () => void;
  readonly testId?: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  /** A line before it. */
  readonly apart?: boolean;
}

export function MenuButton(props: {
  label: string;
  /** Called when the menu opens. */
  items: () => readonly MenuItem[];
  testId?: string;
  icon?: IconName;
  class?: string;
  onToggle?: (open: boolean) => void;
}) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const toggle = (shown: boolean): void => {
    setOpen(shown);
    props.onToggle?.(shown);
  };
  const close = (refocus: boolean): void => {
    toggle(false);
    if (refocus) button.current?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class={`ib icon-button ${props.class ?? "s small"}`}
        aria-label={props.label}
        title={props.label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => toggle(!open)}
        {...(props.testId && { "data-testid": props.testId })}
      >
        <Icon name={props.icon ?? "more"} />
      </button>
      {open && <Menu id={id} label={props.label} items={props.items()} button={button.current} onClose={close} />}
    </>
  );
}

function Menu(props: {
  id: string;
  label: string;
  items: readonly MenuItem[];
  button: HTMLElement | null;
  onClose: (refocus: boolean) => void;
}) {
  const menu = useRef<HTMLDivElement>(null);
  const { button, onClose } = props;
  useLayoutEffect(() => {
    menu.current?.showPopover?.(); // above everything; jsdom has no popovers
    if (menu.current && button) place(menu.current, button);
    menu.current?.querySelector<HTMLElement>("button:not(:disabled)")?.focus({ preventScroll: true });
  }, [button]);
  useEffect(() => {
    const leave = (event: Event): void => {
      const target = event.target as Node;
      if (!menu.current?.contains(target) && !button?.contains(target)) onClose(false);
    };
    addEventListener("pointerdown", leave);
    addEventListener("focusin", leave);
    return () => {
      removeEventListener("pointerdown", leave);
      removeEventListener("focusin", leave);
    };
  });
  return (
    <div
      ref={menu}
      class="pop menu"
      popover="manual"
      role="menu"
      id={props.id}
      aria-label={props.label}
      onKeyDown={(event) => {
        if (event.key === "Escape" || event.key === "Tab") {
          if (event.key === "Escape") event.preventDefault();
          event.stopPropagation();
          onClose(true);
        }
        const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>("button:not(:disabled)")];
        const next = nextPlace(event.key, buttons.indexOf(document.activeElement as HTMLElement), buttons.length);
        if (next === null) return;
        event.preventDefault();
        buttons[next]?.focus();
      }}
    >
      {props.items.map(({ icon, label, act, testId, danger, disabled, apart }) => (
        <>
          {apart && <hr />}
          <button
            key={label}
            type="button"
            role="menuitem"
            class={danger ? "bad" : ""}
            disabled={disabled ?? false}
            onClick={() => {
              onClose(true);
              act();
            }}
            {...(testId && { "data-testid": testId })}
          >
            <Icon name={icon} />
            {label}
          </button>
        </>
      ))}
    </div>
  );
}

/** Return where a key leads to in a list; null if it leads nowhere. */
export function nextPlace(key: string, from: number, count: number): number | null {
  if (count === 0) return null;
  if (key === "ArrowDown") return (from + 1) % count;
  if (key === "ArrowUp") return (from <= 0 ? count : from) - 1;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}

/** Put the menu below its button, or above it, so that all of it is in the window. */
function place(menu: HTMLElement, button: HTMLElement): void {
  const at = button.getBoundingClientRect();
  menu.style.position = "fixed";
  menu.style.margin = "0";
  const { offsetHeight: height, offsetWidth: width } = menu;
  const below = at.bottom + 4;
  const top = below + height <= innerHeight - 8 ? below : Math.max(8, at.top - height - 4);
  const left = Math.min(Math.max(8, at.right - width), innerWidth - width - 8);
  menu.style.inset = `${top}px auto auto ${left}px`;
}
