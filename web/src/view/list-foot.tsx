/** The menu below the list: export, import, theme, keys, signing out, deleting. */

import { useRef } from "preact/hooks";
import { formatDollars } from "../reply";
import { costOfDay } from "../spending";
import { conversations, notify, readConversations } from "../store";
import { texts } from "../texts";
import { isDark, toggleTheme } from "../theme";
import { toast } from "../toasts";
import { signedIn, signOut } from "../token";
import { download, exportAll, importAll } from "../transfer";
import { showDialog } from "./dialogs";
import { MenuButton, type MenuItem } from "./menu";

export function ListFoot() {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <div class="foot sidebar-foot">
      <Spend />
      <MenuButton
        label={texts.list.menu}
        testId="main-menu"
        class=""
        items={() => footItems(() => picker.current?.click())}
      />
      <input
        ref={picker}
        type="file"
        accept="application/json,.json"
        hidden
        data-testid="import-input"
        aria-label={texts.do.import}
        onChange={(event) => {
          void importFile(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}

/** What today has cost. The list is the browser's own, so that is what it can know. */
function Spend() {
  const cost = formatDollars(costOfDay(conversations.value, new Date()));
  return (
    <p class="spend" title={texts.list.spent}>
      {cost && (
        <span data-testid="spend">
          {texts.list.today} <b>{cost}</b>
        </span>
      )}
    </p>
  );
}

function footItems(pickFile: () => void): MenuItem[] {
  const none = conversations.value.length === 0;
  const dark = isDark();
  return [
    {
      icon: "download",
      label: texts.do.exportAll,
      testId: "export",
      disabled: none,
      act: () => void exportEverything(),
    },
    { icon: "upload", label: texts.do.import, testId: "import", act: pickFile },
    {
      icon: dark ? "sun" : "moon",
      label: dark ? texts.do.light : texts.do.dark,
      testId: "menu-theme",
      apart: true,
      act: toggleTheme,
    },
    { icon: "keyboard", label: texts.do.keys, testId: "shortcuts", act: () => showDialog("help") },
    ...(signedIn.value
      ? [{ icon: "leave" as const, label: texts.do.signOut, testId: "sign-out", act: forgetToken }]
      : []),
    {
      icon: "trash",
      label: texts.do.deleteAll,
      testId: "delete-all",
      danger: true,
      apart: true,
      disabled: none,
      act: () => showDialog("delete-all"),
    },
  ];
}

function forgetToken(): void {
  signOut();
  toast(texts.toast.signedOut);
}

export async function exportEverything(): Promise<void> {
  download(await exportAll(), `msgmodel-${new Date().toISOString().slice(0, 10)}.json`);
  toast(texts.toast.exported);
}

async function importFile(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  try {
    const count = await importAll(await file.text());
    await readConversations();
    toast(texts.toast.imported(count));
  } catch {
    notify(texts.toast.notImported);
  }
}
