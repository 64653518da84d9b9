/** The page as a whole. */

import { useEffect, useState } from "preact/hooks";
import { announcement } from "../announce";
import * as draft from "../draft";
import { hasQuestions } from "../model";
import { foldedByUser, isFolded, shownPanel, showPanel } from "../shown";
import { current, notice } from "../store";
import { texts } from "../texts";
import { Bar } from "./bar";
import { Board } from "./board";
import { Composer, Under } from "./composer";
import { Dialogs } from "./dialogs";
import { Examples, Welcome } from "./empty";
import { useFollowing } from "./following";
import { IconButton } from "./icons";
import { ThreadView, ToEnd } from "./panel";
import { PickerHost } from "./picker";
import { SettingsSheet, settingsShown } from "./settings";
import { Sidebar } from "./sidebar";
import { PanelTabs } from "./tabs";
import { Toasts } from "./toasts";

const NARROW = 832; // pixels, 52 rem: up to there the list is a drawer (style/narrow.css)
const COLUMN = 340; // pixels; if the columns got narrower than this, the list folds to a rail

export function App() {
  const [menu, setMenu] = useState(false);
  const [differences, setDifferences] = useState(false);
  const [together, setTogether] = useState(true);
  const conversation = current.value;
  const { panels } = conversation;
  const [only] = panels;
  const several = panels.length > 1;
  const isEmpty = !hasQuestions(conversation);
  const turns = panels.reduce((sum, panel) => sum + panel.turns.length, 0);
  const following = useFollowing(`${conversation.id} ${panels.length} ${turns}`);
  const isRail = useRail(panels.length);
  const shown = Math.min(shownPanel.value, panels.length - 1);

  useEffect(() => {
    document.title = conversation.title ? texts.frame.windowTitle(conversation.title) : texts.frame.name;
  });
  return (
    <DropTarget>
      <div class="app" data-sidebar={isRail ? "rail" : ""} data-drawer={menu ? "open" : ""}>
        {/* biome-ignore lint/a11y/useValidAnchor: the address names the conversation, so the link moves the focus only */}
        <a class="skip" href="#message" onClick={skipToMessage}>
          {texts.frame.skip}
        </a>
        <Sidebar shown={menu} onHide={() => setMenu(false)} />
        <main class="main" data-empty={isEmpty && !several}>
          <Bar
            scrolled={following.scrolled}
            differences={differences}
            together={together}
            onDifferences={() => setDifferences(!differences)}
            onTogether={() => setTogether(!together)}
            onMenu={() => setMenu(true)}
          />
          <Notice />
          <PanelTabs shown={shown} onShow={showPanel} />
          {several ? (
            <Board following={following} shown={shown} differences={differences} together={together} />
          ) : isEmpty || only === undefined ? (
            <Welcome />
          ) : (
            <ThreadView panel={only} following={following} />
          )}
          <div class={several ? "bottom all" : "bottom"}>
            <Toasts />
            <ToEnd following={following} />
            <Composer />
            <Under />
          </div>
          {isEmpty && !several && <Examples />}
          {settingsShown.value && <SettingsSheet />}
        </main>
        <PickerHost />
        <Dialogs />
        <div class="off-screen" role="status" aria-live="polite" data-testid="announcement">
          {announcement.value}
        </div>
      </div>
    </DropTarget>
  );
}

/** The address has the conversation behind its hash, so the link only moves the focus. */
function skipToMessage(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#message textarea")?.focus();
}

/** Whether the list is folded, so that the columns get the width. */
function useRail(count: number): boolean {
  const [width, setWidth] = useState(() => innerWidth);
  useEffect(() => {
    const measure = (): void => setWidth(innerWidth);
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  const isTight = count > 1 && (width - 264) / count < COLUMN;
  const folded = width > NARROW && (foldedByUser.value ?? isTight);
  useEffect(() => {
    isFolded.value = folded;
  }, [folded]);
  return folded;
}

/** Files can be dropped anywhere. */
function DropTarget({ children }: { children: preact.ComponentChildren }) {
  const [dragging, setDragging] = useState(false);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files can be dropped anywhere; the keyboard has "Attach files"
    <div
      class="drop-target"
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        setDragging(true);
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) setDragging(false);
      }}
      onDrop={(event) => {
        setDragging(false);
        const dropped = [...(event.dataTransfer?.files ?? [])];
        if (dropped.length === 0) return;
        event.preventDefault();
        void draft.attachFiles(dropped);
      }}
    >
      {children}
      {dragging && <div class="drop-hint">{texts.frame.dropFiles}</div>}
    </div>
  );
}

const dismissNotice = (): void => {
  notice.value = null;
};

/** What the page has to say of itself. */
function Notice() {
  if (!notice.value) return null;
  return (
    <div class="banner" role="alert">
      <p>{notice.value}</p>
      <IconButton icon="close" label={texts.frame.dismiss} class="s" onClick={dismissNotice} />
    </div>
  );
}
