/** Icons and the small shapes of endings as inline SVG: nothing is fetched, and they have the color of the text. */

import type { Ending } from "../reply";
import { texts } from "../texts";

const PATHS = {
  plus: "M12 5v14M5 12h14",
  close: "M6.500 6.500l11 11M17.500 6.500l-11 11",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  clip: "M19.500 11.500l-7.700 7.700a4.800 4.800 0 0 1-6.800-6.800l8-8a3.200 3.200 0 0 1 4.600 4.600l-7.900 7.900a1.600 1.600 0 0 1-2.300-2.300l7.300-7.300",
  menu: "M4 7h16M4 12h16M4 17h10",
  sliders: "M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4",
  moon: "M20 14.500A8 8 0 0 1 9.500 4a8 8 0 1 0 10.500 10.500z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  pencil: "M5 19l1-4L16.500 4.500l3 3L9 18z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  down: "M12 5v14M6 13l6 6 6-6",
  upload: "M12 15V4M7 9l5-5 5 5M5 16v4h14v-4",
  download: "M12 4v11M7 10l5 5 5-5M5 16v4h14v-4",
  keyboard: "M3 7h18v10H3zM7 10.500h.01M11 10.500h.01M15 10.500h.01M8 14h8",
  alert: "M12 4.500l8.500 15h-17zM12 10v4M12 16.800v.01",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  tool: "M14.500 6a4 4 0 0 1 5-1l-2.800 2.800.5 1.500 1.500.5L21.500 7a4 4 0 0 1-5.300 5L9 19.200A2 2 0 0 1 6 16.300L13 9a4 4 0 0 1 1.500-3z",
  fold: "M9.500 6l6 6-6 6",
  chev: "M6 9.500l6 6 6-6",
  prev: "M14.500 6l-6 6 6 6",
  next: "M9.500 6l6 6-6 6",
  again: "M19.500 12.500a7.500 7.500 0 1 1-2-6M19.500 3.500v5h-5",
  branch:
    "M7 4v10.500M7 14.500a2.700 2.700 0 1 0 0 5.400 2.700 2.700 0 0 0 0-5.400zM17 4.200a2.700 2.700 0 1 0 0 5.400 2.700 2.700 0 0 0 0-5.400zM17 9.600c0 4-4 5.400-7.300 6.600",
  more: "M5.500 12h.01M12 12h.01M18.500 12h.01",
  check: "M5 12.500l4.500 4.500L19 7.500",
  globe:
    "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17zM3.500 12h17M12 3.500c4.300 4.700 4.300 12.300 0 17M12 3.500c-4.300 4.700-4.300 12.300 0 17",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.300 15.300L20 20",
  pin: "M9 4h6l-.7 6 3.200 3.500H6.500L9.700 10zM12 13.500V20",
  side: "M4 5h16v14H4zM9.500 5v14",
  columns: "M4 5h16v14H4zM12 5v14",
  spark: "M12 3.500l1.800 6.700 6.700 1.800-6.700 1.800L12 20.500l-1.800-6.700L3.500 12l6.700-1.800z",
  image: "M4 5h16v14H4zM4 16l4.500-4.500 4 4 3-3L20 17M15.500 9.200h.01",
  file: "M7 3.500h7l4 4v13H7zM14 3.500v4h4",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
  off: "M3 9c5-4.500 13-4.500 18 0M6.500 12.700c3-2.700 8-2.700 11 0M10 16.200c1.200-1 2.800-1 4 0M12 19.500h.01M4 4l16 16",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 1.700",
  expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15.500 15.500L13 18l2.500 2.500M4 18h4",
  undo: "M8 5L4 9l4 4M4 9h10a5.500 5.500 0 0 1 0 11h-3",
  device: "M5 5.500h14v9.500H5zM3 19h18",
  mail: "M4 6h16v12H4zM4 7l8 6 8-6",
  leave: "M14 5h5v14h-5M4 12h10M10 8l4 4-4 4",
  together: "M8 4v16M8 4L5 7M8 4l3 3M16 20V4M16 20l-3-3M16 20l3-3",
  bolt: "M13 3L5 13.500h6L10.500 21 19 10.500h-6z",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  key: "M15.500 4a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM12.300 11.700L4 20M7 17l2.500 2.500",
  list: "M9 6h11M9 12h11M9 18h11M4.500 6h.01M4.500 12h.01M4.500 18h.01",
  scale: "M12 4v16M7 20h10M5 7h14M5 7l-2.500 6a3 3 0 0 0 5 0zM19 7l-2.500 6a3 3 0 0 0 5 0z",
} as const;

export type IconName = keyof typeof PATHS;

/** These point somewhere, and turn round for who reads from the right. */
const TURNING: readonly IconName[] = ["branch", "fold", "leave", "next", "prev", "side", "undo", "wrap"];

/** Return the path of an icon, for elements that are made without components. */
export const iconPath = (name: IconName): string => PATHS[name];

export function Icon({ name, class: extra = "" }: { name: IconName; class?: string }) {
  const turns = TURNING.includes(name) ? " turns" : "";
  const dots = name === "more" ? " dots" : "";
  return (
    <svg class={`icon${turns}${dots} ${extra}`.trimEnd()} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function IconButton(props: {
  icon: IconName;
  label: string;
  onClick: () => void;
  testId?: string;
  class?: string;
  disabled?: boolean;
  pressed?: boolean;
}) {
  return (
    <button
      type="button"
      class={`ib ${(props.class ?? "").replace("small", "s")}`.trimEnd()}
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled ?? false}
      onClick={props.onClick}
      {...(props.pressed !== undefined && { "aria-pressed": props.pressed })}
      {...(props.testId && { "data-testid": props.testId })}
    >
      <Icon name={props.icon} />
    </button>
  );
}

const CUT = (
  <>
    <path stroke-linecap="butt" d="M2.500 1v4M2.500 7.500v4" />
    <path d="M2 16h9" />
  </>
);
const DOTS = (
  <g fill="currentColor" stroke="none">
    <circle cx="3" cy="2.500" r="1.700" />
    <circle cx="3" cy="7.200" r="1.500" />
    <circle cx="3" cy="11.500" r="1.200" />
    <circle cx="3" cy="15.500" r=".8" />
  </g>
);
const HOLLOW = <rect x="1.700" y="1.500" width="6" height="15" rx="3" stroke-width="1.700" />;

/** The edge of a reply, small. An ending that is added does not compile without its shape. */
const SHAPES = {
  complete: <path d="M2.500 1.500v10a3.500 3.500 0 0 0 3.500 3.500h6" />,
  truncated: CUT,
  budget: CUT,
  broken: DOTS,
  failed: DOTS,
  refused: HOLLOW,
  filtered: HOLLOW,
  stopped: (
    <>
      <path d="M4 1.500v6.500" />
      <rect fill="currentColor" stroke="none" x="0.500" y="10.500" width="7" height="7" rx="1.500" />
    </>
  ),
  waiting: (
    <>
      <path d="M4.500 1.500v6" />
      <circle cx="4.500" cy="13.500" r="3" />
    </>
  ),
  paused: <path d="M2.500 1.500v7.500M2 12.500h8M2 16.500h8" />,
  unknown: (
    <>
      <path d="M2.500 1.500v5M2.500 15.500v1" />
      <circle fill="currentColor" stroke="none" cx="2.500" cy="11" r="1.400" />
    </>
  ),
  empty: <rect x="1.700" y="7" width="6" height="9.500" rx="3" stroke-width="1.700" />,
  streaming: (
    <>
      <path d="M3.500 1.500v12" />
      <circle fill="currentColor" stroke="none" cx="3.500" cy="14" r="3" />
    </>
  ),
} satisfies Readonly<Record<Ending, unknown>>;

/** `labeled`: the shape stands alone, so it has a name. */
export function Glyph({ ending, held, labeled }: { ending: Ending; held?: string | null; labeled?: boolean }) {
  const name = labeled
    ? { role: "img" as const, "aria-label": texts.ending[ending] }
    : { "aria-hidden": true as const };
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: it has a label, or is hidden from screen readers
    <svg class="glyph" viewBox="0 0 13 18" data-ending={ending} {...(held && { "data-held": held })} {...name}>
      {SHAPES[ending]}
    </svg>
  );
}
