/** The commands of the page and their keys. No single letters, because they disturb people who dictate. */

import { texts } from "./texts";
import type { IconName } from "./view/icons";

/** The table of all commands. `code`: of the key that is pressed with Alt; `keys`: as they are shown. */
const COMMANDS = {
  new: { icon: "plus", code: "KeyN", keys: ["Alt", "N"] },
  field: { icon: "down", code: "KeyM", keys: ["Alt", "M"] },
  who: { icon: "spark", code: "KeyW", keys: ["Alt", "W"] },
  compare: { icon: "columns", code: "KeyC", keys: ["Alt", "C"] },
  nextPanel: { icon: "next", code: "KeyP", keys: ["Alt", "P"] },
  editLast: { icon: "pencil", code: "", keys: ["↑"] },
  copyLast: { icon: "copy", code: "KeyY", keys: ["Alt", "Y"] },
  check: { icon: "eye", code: "KeyR", keys: ["Alt", "R"] },
  settings: { icon: "sliders", code: "KeyS", keys: ["Alt", "S"] },
  list: { icon: "side", code: "KeyB", keys: ["Alt", "B"] },
  stop: { icon: "stop", code: "", keys: ["Esc"] },
  keys: { icon: "keyboard", code: "", keys: ["Ctrl", "/"] },
  exportAll: { icon: "download", code: "", keys: [] },
  deleteAll: { icon: "trash", code: "", keys: [] },
} as const satisfies Record<string, { icon: IconName; code: string; keys: readonly string[] }>;

export type CommandName = keyof typeof COMMANDS;

export interface Command {
  readonly name: CommandName;
  readonly label: string;
  readonly icon: IconName;
  readonly keys: readonly string[];
}

const handlers = new Map<CommandName, () => void>();

/** Say what commands do; one that is said nothing about is neither offered nor listed. */
export function setCommands(given: Partial<Record<CommandName, () => void>>): void {
  for (const [name, run] of Object.entries(given)) handlers.set(name as CommandName, run);
}

export function runCommand(name: CommandName): void {
  handlers.get(name)?.();
}

/** Return the commands that do something, in the order of the help. */
export const commands = (): Command[] =>
  (Object.keys(COMMANDS) as CommandName[])
    .filter((name) => handlers.has(name))
    .map((name) => ({ name, label: texts.do[name], icon: COMMANDS[name].icon, keys: shownKeys(COMMANDS[name].keys) }));

const isMac = /mac/i.test(typeof navigator === "undefined" ? "" : navigator.platform);

/** Return keys as they are written on the user's keyboard. */
export const shownKeys = (keys: readonly string[]): readonly string[] =>
  isMac ? keys.map((key) => ({ Alt: "⌥", Ctrl: "⌘" })[key] ?? key) : keys;

/** Run commands by their keys. `openPalette`: for Ctrl+K, also while another dialog is open. */
export function listenToKeys(openPalette: () => void): void {
  const byCode = new Map((Object.keys(COMMANDS) as CommandName[]).map((name) => [COMMANDS[name].code as string, name]));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return openPalette();
    }
    let name: CommandName | undefined;
    if (event.key === "Escape") name = "stop";
    else if (event.altKey && !command) name = byCode.get(event.code);
    else if (command && event.key === "/") name = "keys";
    if (name === undefined || !handlers.has(name)) return;
    if (event.key !== "Escape") event.preventDefault();
    runCommand(name);
  });
}
