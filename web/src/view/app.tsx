/** The page as a whole. */

import { useEffect, useRef, useState } from "preact/hooks";
import { addPanel, panelLimit } from "../actions";
import { announcement } from "../announce";
import * as draft from "../draft";
import { hasQuestions, isBusy } from "../model";
import { current, notice } from "../store";
import { isDark, toggleTheme } from "../theme";
import { Composer } from "./composer";
import { Dialogs, showDialog } from "./dialogs";
import { Examples } from "./empty";
import { Icon, IconButton } from "./icons";
import { PanelView } from "./panel";
import { Sidebar } from "./sidebar";
import { PanelTabs } from "./tabs";

export function App() {
  const [menu, setMenu] = useState(false);
  const [dragging, setDragging] = useState(false);
  const conversation = current.value;
  const panels = useRef<HTMLDivElement>(null);
  const empty = !hasQuestions(conversation);

  useEffect(() => {
    document.title = conversation.title ? `${conversation.title} · msgmodel` : "msgmodel";
  });
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files can be dropped anywhere; the keyboard has "Attach files"
    <div
      class="app"
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
      <Sidebar shown={menu} onHide={() => setMenu(false)} />
      <main class="main">
        <header class="topbar">
          <IconButton
            icon="menu"
            label="Conversations"
            class="narrow-only"
            testId="menu"
            onClick={() => setMenu(true)}
          />
          <h1 class="title">{conversation.title || "New conversation"}</h1>
          <button
            type="button"
            class="button quiet add-panel"
            data-testid="add-panel"
            aria-label="Add a panel"
            title="Ask another model in a new panel"
            disabled={conversation.panels.length >= panelLimit() || isBusy(conversation)}
            onClick={() => addPanel()}
          >
            <Icon name="plus" />
            <span class="wide-only">Panel</span>
          </button>
          <IconButton
            icon="sliders"
            label="Settings of this conversation"
            testId="settings"
            onClick={() => showDialog("settings")}
          />
          <ThemeToggle />
        </header>
        {notice.value && (
          <div class="notice" role="alert">
            <span>{notice.value}</span>
            <IconButton icon="close" label="Dismiss" class="small" onClick={dismissNotice} />
          </div>
        )}
        <PanelTabs scroller={panels} />
        <div class="panels" ref={panels} data-count={conversation.panels.length}>
          {conversation.panels.map((panel, index) => (
            <PanelView key={panel.id} panel={panel} number={index + 1} only={conversation.panels.length === 1} />
          ))}
        </div>
        <div class="bottom">
          {empty && <Examples />}
          <Composer />
        </div>
      </main>
      {dragging && <div class="drop-hint">Drop the files to attach them</div>}
      <Dialogs />
      <div class="off-screen" role="status" aria-live="polite" data-testid="announcement">
        {announcement.value}
      </div>
    </div>
  );
}

const dismissNotice = (): void => {
  notice.value = null;
};

function ThemeToggle() {
  const dark = isDark();
  return (
    <IconButton
      icon={dark ? "sun" : "moon"}
      label={dark ? "Switch to the light theme" : "Switch to the dark theme"}
      testId="theme-toggle"
      onClick={toggleTheme}
    />
  );
}
