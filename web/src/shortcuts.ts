/** Keyboard shortcuts. No single letters, because they disturb people who dictate. */

export const SHORTCUTS = [
  { keys: ["Enter"], what: "Send the message" },
  { keys: ["Shift", "Enter"], what: "New line" },
  { keys: ["Esc"], what: "Stop all replies" },
  { keys: ["Alt", "N"], what: "New conversation" },
  { keys: ["Alt", "M"], what: "Go to the message field" },
  { keys: ["Alt", "P"], what: "Go to the next panel" },
  { keys: ["Alt", "S"], what: "Settings of this conversation" },
  { keys: ["Ctrl", "/"], what: "Keyboard shortcuts" },
] as const;

export interface Commands {
  stopAll: () => void;
  newConversation: () => void;
  focusComposer: () => void;
  nextPanel: () => void;
  settings: () => void;
  shortcuts: () => void;
}

export function listenToKeys(commands: Commands): void {
  const byCode: Record<string, keyof Commands> = {
    KeyN: "newConversation",
    KeyM: "focusComposer",
    KeyP: "nextPanel",
    KeyS: "settings",
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    let command: keyof Commands | undefined;
    if (event.key === "Escape") command = "stopAll";
    else if (event.altKey && !event.ctrlKey && !event.metaKey) command = byCode[event.code];
    else if ((event.ctrlKey || event.metaKey) && event.key === "/") command = "shortcuts";
    if (command === undefined) return;
    if (event.key !== "Escape") event.preventDefault();
    commands[command]();
  });
}
