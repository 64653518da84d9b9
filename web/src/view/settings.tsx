/** The settings of the open conversation, beside it: for all panels, or for one of them. */

import { signal } from "@preact/signals";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { changeSettings, shareSetting } from "../actions";
import { focusComposer } from "../focus";
import { NO_SETTINGS, type Panel, type Settings, settingsFor } from "../model";
import { findProvider, service } from "../providers";
import { current } from "../store";
import { texts } from "../texts";
import { toast } from "../toasts";
import { keepUsualSettings } from "../usual";
import { IconButton } from "./icons";
import { MenuButton, nextPlace } from "./menu";

/** Whether the settings are shown. */
export const settingsShown = signal(false);

export function closeSettings(): void {
  settingsShown.value = false;
  focusComposer();
}

/** Whether anything is set in the open conversation. */
export const anythingSet = (): boolean => {
  const { settings, panels } = current.value;
  const names = Object.keys(NO_SETTINGS) as (keyof Settings)[];
  return (
    names.some((name) => isSet(name, settings)) || panels.some((panel) => Object.keys(panel.settings ?? {}).length)
  );
};

const isSet = (name: keyof Settings, settings: Settings): boolean =>
  (settings[name] ?? NO_SETTINGS[name]) !== NO_SETTINGS[name];

const letterOf = (place: number): string => String.fromCharCode(65 + place);

export function SettingsSheet() {
  const { panels, id } = current.value;
  const sheet = useRef<HTMLElement>(null);
  const [chosen, setChosen] = useState("");
  const place = panels.findIndex((panel) => panel.id === chosen);
  const panel = panels[place];
  const most = service.value.limits.max_tokens ?? null;
  useLayoutEffect(() => sheet.current?.focus({ preventScroll: true }), []);
  return (
    <section
      ref={sheet}
      class="sheet"
      role="dialog"
      aria-label={texts.settings.label}
      tabIndex={-1}
      data-open="true"
      data-testid="settings-dialog"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        closeSettings();
      }}
    >
      <header>
        <h2>{texts.settings.title}</h2>
        <MenuButton
          label={texts.do.settings}
          items={() => [{ icon: "check", label: texts.settings.usual, testId: "usual-settings", act: keepUsual }]}
        />
        <IconButton icon="close" label={texts.settings.close} testId="close-settings" onClick={closeSettings} />
      </header>
      {panels.length > 1 ? <WhomTabs panels={panels} chosen={panel?.id ?? ""} onChoose={setChosen} /> : <span />}
      <div
        key={`${id} ${panel?.id}`}
        class="sheet-in"
        role="group"
        tabIndex={0}
        aria-label={panel ? texts.settings.forPanel(letterOf(place)) : texts.settings.forAll}
      >
        <SystemField panel={panel} />
        <TemperatureField panel={panel} />
        <ThinkingField panel={panel} />
        <NumberField
          panel={panel}
          name="maxTokens"
          label={texts.settings.longest}
          hint={most ? texts.settings.tokensUpTo(most.toLocaleString("en")) : texts.settings.tokens}
          problem={(text) => problemWithTokens(text, most)}
          testId="max-tokens"
        />
        <NumberField
          panel={panel}
          name="maxCost"
          label={texts.settings.budget}
          hint={texts.settings.budgetHint}
          problem={problemWithBudget}
          testId="max-cost"
        />
      </div>
      <footer>{texts.settings.foot}</footer>
    </section>
  );
}

function keepUsual(): void {
  if (keepUsualSettings(current.value.settings)) toast(texts.toast.usual);
}

function WhomTabs(props: { panels: readonly Panel[]; chosen: string; onChoose: (id: string) => void }) {
  const ids = ["", ...props.panels.map(({ id }) => id)];
  return (
    <div
      class="segments"
      role="tablist"
      aria-label={texts.settings.whom}
      onKeyDown={(event) => {
        const key = { ArrowRight: "ArrowDown", ArrowLeft: "ArrowUp" }[event.key] ?? event.key;
        const next = nextPlace(key, ids.indexOf(props.chosen), ids.length);
        if (next === null) return;
        event.preventDefault();
        props.onChoose(ids[next] ?? "");
        event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
      }}
    >
      {ids.map((id, place) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === props.chosen}
          tabIndex={id === props.chosen ? 0 : -1}
          data-testid="settings-tab"
          onClick={() => props.onChoose(id)}
        >
          {place === 0 ? (
            texts.settings.all
          ) : (
            <>
              <span class="letter">{letterOf(place - 1)}</span>
              {shortName(props.panels[place - 1])}
            </>
          )}
        </button>
      ))}
    </div>
  );
}

function shortName(panel: Panel | undefined): string {
  if (panel === undefined) return "";
  return (panel.model || findProvider(panel.provider)?.default_model || panel.provider).replace(/^.*\//, "");
}

/** How a field stands: whose value it shows, and what the user can do about that. */
function fieldState(name: keyof Settings, panel: Panel | undefined) {
  const { settings } = current.value;
  const here = panel !== undefined && Object.hasOwn(panel.settings ?? {}, name);
  const value = panel ? settingsFor(current.value, panel)[name] : settings[name];
  const readOnly = panel !== undefined && !here;
  const change = (part: Partial<Settings>): void => changeSettings(part, panel?.id);
  return { here, value, readOnly, change };
}

/** The words beside the name of a field. */
function Standing({ name, panel }: { name: keyof Settings; panel: Panel | undefined }) {
  const { settings } = current.value;
  const { here } = fieldState(name, panel);
  if (panel === undefined) {
    if (!isSet(name, settings)) return null;
    return (
      <span class="own">
        {texts.settings.setByYou}{" "}
        <button
          type="button"
          class="facts mini"
          data-testid={`undo-${name}`}
          onClick={() => changeSettings({ [name]: NO_SETTINGS[name] })}
        >
          {texts.settings.undo}
        </button>
      </span>
    );
  }
  const forAll = isSet(name, settings) && name !== "system" ? String(settings[name]) : "";
  return (
    <span class="own" data-testid={`standing-${name}`}>
      {here ? (forAll ? texts.settings.onlyHereBut(forAll) : texts.settings.onlyHere) : texts.settings.asForAll}{" "}
      <button
        type="button"
        class="facts mini"
        data-testid={here ? `share-${name}` : `change-${name}`}
        onClick={() => (here ? shareSetting(panel.id, name) : changeSettings({ [name]: settings[name] }, panel.id))}
      >
        {here ? texts.settings.undo : texts.settings.changeHere}
      </button>
    </span>
  );
}

function SystemField({ panel }: { panel: Panel | undefined }) {
  const id = useId();
  const { value, readOnly, change } = fieldState("system", panel);
  return (
    <div class="field">
      <span class="label">
        <label for={id}>{texts.settings.system}</label> <Standing name="system" panel={panel} />
      </span>
      <textarea
        id={id}
        class="area"
        rows={5}
        dir="auto"
        data-testid="system-instruction"
        readOnly={readOnly}
        placeholder={texts.settings.systemHint}
        value={value as string}
        onInput={(event) => change({ system: event.currentTarget.value })}
      />
    </div>
  );
}

function TemperatureField({ panel }: { panel: Panel | undefined }) {
  const id = useId();
  const { value, readOnly, change } = fieldState("temperature", panel);
  return (
    <div class="field">
      <span class="label">
        <label for={id}>{texts.settings.temperature}</label> <Standing name="temperature" panel={panel} />
      </span>
      <div class="slider">
        <input
          type="range"
          id={id}
          min={0}
          max={2}
          step={0.1}
          data-testid="temperature"
          disabled={readOnly}
          aria-valuetext={value === null ? texts.settings.own : String(value)}
          value={(value as number | null) ?? 1}
          onInput={(event) => change({ temperature: Number(event.currentTarget.value) })}
        />
        <output for={id}>{value === null ? texts.settings.own : String(value)}</output>
      </div>
      <div class="ends">
        <span>{texts.settings.steady}</span>
        <span>{texts.settings.varied}</span>
      </div>
    </div>
  );
}

function ThinkingField({ panel }: { panel: Panel | undefined }) {
  const id = useId();
  const { value, readOnly, change } = fieldState("reasoning", panel);
  const levels = Object.entries(texts.settings.levels) as [Settings["reasoning"], string][];
  return (
    <div class="field">
      <span class="label">
        <span id={id}>{texts.settings.thinking}</span> <Standing name="reasoning" panel={panel} />
      </span>
      <div
        class="segments"
        role="radiogroup"
        aria-labelledby={id}
        data-testid="reasoning-level"
        onKeyDown={(event) => {
          const key = { ArrowRight: "ArrowDown", ArrowLeft: "ArrowUp" }[event.key] ?? event.key;
          const from = levels.findIndex(([level]) => level === value);
          const next = readOnly ? null : nextPlace(key, from, levels.length);
          if (next === null) return;
          event.preventDefault();
          change({ reasoning: levels[next]?.[0] ?? "" });
          event.currentTarget.querySelectorAll<HTMLElement>("[role=radio]")[next]?.focus();
        }}
      >
        {levels.map(([level, label]) => (
          <button
            key={level}
            type="button"
            role="radio"
            aria-checked={value === level}
            tabIndex={value === level ? 0 : -1}
            disabled={readOnly}
            onClick={() => change({ reasoning: level })}
          >
            {label}
          </button>
        ))}
      </div>
    </div>
  );
}

/** A number that the user may leave out. What is wrong is said at once, and not sent. */
function NumberField(props: {
  panel: Panel | undefined;
  name: "maxTokens" | "maxCost";
  label: string;
  hint: string;
  problem: (text: string) => string | null;
  testId: string;
}) {
  const { panel, name, problem } = props;
  const id = useId();
  const hint = useId();
  const { value, readOnly, change } = fieldState(name, panel);
  const kept = typeof value === "number" ? String(value) : "";
  const [text, setText] = useState(kept);
  const wrong = problem(text);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is typed stays; what changes elsewhere is shown
  useLayoutEffect(() => {
    if (kept !== "" ? Number(kept) !== numberIn(text) : wrong === null) setText(kept);
  }, [kept]);
  return (
    <div class="field">
      <span class="label">
        <label for={id}>{props.label}</label> <Standing name={name} panel={panel} />
      </span>
      <input
        id={id}
        class="input"
        inputMode="decimal"
        data-testid={props.testId}
        readOnly={readOnly}
        placeholder={name === "maxCost" ? texts.settings.none : texts.settings.own}
        aria-invalid={wrong !== null}
        aria-describedby={hint}
        value={text}
        onInput={(event) => {
          const typed = event.currentTarget.value.trim();
          setText(typed);
          change({ [name]: typed && problem(typed) === null ? numberIn(typed) : null });
        }}
      />
      <span id={hint} class={wrong ? "problem" : "hint"}>
        {wrong ?? props.hint}
      </span>
    </div>
  );
}

/** Return the number of a text such as "$0.05" or "0,05". */
const numberIn = (text: string): number => Number(text.replace(/^\$/, "").replace(",", "."));

function problemWithTokens(text: string, most: number | null): string | null {
  if (text === "") return null;
  const given = Number(text);
  if (!Number.isInteger(given) || given < 1) return texts.settings.wholeNumber;
  return most !== null && given > most ? texts.settings.tooMany(most.toLocaleString("en")) : null;
}

const problemWithBudget = (text: string): string | null =>
  text === "" || numberIn(text) > 0 ? null : texts.settings.dollars;
