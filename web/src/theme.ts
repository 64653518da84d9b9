/** Light, dark, or what the system says; the choice outlives the page. */

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "msgmodel.theme";
const ORDER: Theme[] = ["system", "light", "dark"];

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === value) ?? "system";
  } catch {
    return "system"; // storage is switched off
  }
}

export const theme = signal<Theme>(stored());

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // lasts as long as the page, then
  }
});

/** From what is seen now to the other one; the system's choice comes back when it says the same. */
export function toggleTheme(): void {
  const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const dark = theme.value === "system" ? systemDark : theme.value === "dark";
  theme.value = dark === systemDark ? (dark ? "light" : "dark") : "system";
}
