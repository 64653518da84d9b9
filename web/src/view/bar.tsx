/** The bar over a conversation: its title, what it has cost, and what is done to all of it. */

import { addPanel, panelLimit } from "../actions";
import { isBusy } from "../model";
import { current } from "../store";
import { texts } from "../texts";
import { isDark, toggleTheme } from "../theme";
import { Icon, IconButton } from "./icons";
import { settingsShown } from "./settings";
import { Title } from "./title";
import { TotalButton } from "./total";

export interface BarProps {
  scrolled: boolean;
  differences: boolean;
  together: boolean;
  onDifferences: () => void;
  onTogether: () => void;
  onMenu: () => void;
}

export function Bar(props: BarProps) {
  const conversation = current.value;
  const { panels } = conversation;
  const several = panels.length > 1;
  const hasAnswers = panels.filter(({ turns }) => turns.length > 0).length > 1;
  const isFull = panels.length >= panelLimit() || isBusy(conversation);
  const add = several ? texts.frame.addModel : texts.frame.compare;
  return (
    <header class="bar" data-scrolled={props.scrolled}>
      <IconButton
        icon="menu"
        label={texts.frame.conversations}
        class="narrow-only"
        testId="menu"
        onClick={props.onMenu}
      />
      <Title />
      <TotalButton />
      {several && hasAnswers && (
        <>
          <Toggle
            icon="scale"
            words={texts.frame.differences}
            title={texts.frame.differencesTitle}
            pressed={props.differences}
            testId="differences"
            onClick={props.onDifferences}
          />
          <Toggle
            icon="together"
            words={texts.frame.together}
            title={texts.frame.togetherTitle}
            pressed={props.together}
            testId="together"
            onClick={props.onTogether}
          />
        </>
      )}
      <button
        type="button"
        class="btn quiet add-panel"
        data-testid="add-panel"
        aria-label={add}
        title={several ? texts.frame.addModelTitle : texts.frame.compareTitle}
        disabled={isFull}
        onClick={() => addPanel()}
      >
        <Icon name={several ? "plus" : "columns"} />
        <span class="wide-only">{add}</span>
      </button>
      <IconButton
        icon="sliders"
        label={texts.frame.settings}
        testId="settings"
        class={hasSettings() ? "set" : ""}
        onClick={() => {
          settingsShown.value = !settingsShown.value;
        }}
      />
      <ThemeToggle />
    </header>
  );
}

function Toggle(props: {
  icon: "scale" | "together";
  words: string;
  title: string;
  pressed: boolean;
  testId: string;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      class="btn quiet wide-only"
      aria-pressed={props.pressed}
      title={props.title}
      data-testid={props.testId}
      onClick={props.onClick}
    >
      <Icon name={props.icon} />
      <span>{props.words}</span>
    </button>
  );
}

function hasSettings(): boolean {
  const { system, maxTokens, temperature, reasoning } = current.value.settings;
  return system.trim() !== "" || maxTokens !== null || temperature !== null || reasoning !== "";
}

function ThemeToggle() {
  const dark = isDark();
  return (
    <IconButton
      icon={dark ? "sun" : "moon"}
      label={dark ? texts.frame.light : texts.frame.dark}
      testId="theme-toggle"
      onClick={toggleTheme}
    />
  );
}
