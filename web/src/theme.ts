/** Light, dark, or as the system; the choice is kept after the page is closed. */

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const KEY = "msgmodel.theme";
const ORDER: Theme[] = ["system", "light", "dark"];

function storedTheme(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === value) ?? "system";
  } catch {
    return "system"; // storage is switched off
  }
}

export const theme = signal<Theme>(storedTheme());

effect(() => {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // without storage, the choice lasts until the page is closed
  }
});

const systemIsDark = (): boolean => matchMedia("(prefers-color-scheme: dark)").matches;

export const isDark = (): boolean => (theme.value === "system" ? systemIsDark() : theme.value === "dark");

/** Switch between light and dark; if the system has the new one, follow the system. */
export function toggleTheme(): void {
  const dark = !isDark();
  if (dark === systemIsDark()) theme.value = "system";
  else theme.value = dark ? "dark" : "light";
}
