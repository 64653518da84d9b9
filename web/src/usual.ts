/** The settings that the user has chosen for new conversations; they are kept after the page is closed. */

import { copySettings } from "./copy";
import { NO_SETTINGS, type Settings } from "./model";

const KEY = "msgmodel.settings";

export function usualSettings(): Settings {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return { ...NO_SETTINGS, ...(typeof kept === "object" && kept !== null && copySettings(kept)) };
  } catch {
    return NO_SETTINGS; // storage is switched off, or holds something else
  }
}

/** Keep these for new conversations; return whether the browser allows it. */
export function keepUsualSettings(settings: Settings): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}
