/** Icons as inline SVG: nothing is fetched, and they have the color of the text. */

const PATHS = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  clip: "M20 11.5l-8 8a5 5 0 01-7-7l8.500-8.500a3.300 3.300 0 014.700 4.700L9.600 17.200a1.700 1.700 0 01-2.400-2.400l7.600-7.600",
  menu: "M4 7h16M4 12h16M4 17h10",
  sliders: "M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4",
  moon: "M20 14.500A8 8 0 019.500 4a8 8 0 1010.500 10.500z",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  pencil: "M5 19l1-4L16.500 4.500l3 3L9 18z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10.500 11v5.500M13.500 11v5.500",
  down: "M12 5v14M6 13l6 6 6-6",
  upload: "M12 15V4M7 9l5-5 5 5M5 16v4h14v-4",
  download: "M12 4v11M7 10l5 5 5-5M5 16v4h14v-4",
  keyboard: "M3 7h18v10H3zM7 10.500h.01M11 10.500h.01M15 10.500h.01M8 14h8",
  alert: "M12 4l9 16H3zM12 10v4.500M12 17.300v.01",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  tool: "M14.500 6a4 4 0 015-1l-2.800 2.800.5 1.500 1.500.5L21.500 7a4 4 0 01-5.300 5L9 19.200A2 2 0 016 16.300L13 9a4 4 0 011.500-3z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
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
}) {
  return (
    <button
      type="button"
      class={`icon-button ${props.class ?? ""}`}
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled ?? false}
      onClick={props.onClick}
      {...(props.testId && { "data-testid": props.testId })}
    >
      <Icon name={props.icon} />
    </button>
  );
}
