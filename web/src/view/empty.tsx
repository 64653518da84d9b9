/** What a conversation shows before its first question: headline and legend above the composer, examples below it. */

import * as draft from "../draft";
import { focusComposer } from "../focus";
import { current } from "../store";
import { texts } from "../texts";
import { Glyph, Icon, type IconName } from "./icons";

const LEGEND = ["complete", "truncated", "broken"] as const;
const ICONS: readonly IconName[] = ["code", "list", "mail", "search"];

export function Welcome() {
  return (
    <div class="start-head">
      <h2>{texts.start.headline}</h2>
      <p class="legend">
        <span>{texts.start.legend}</span>
        {LEGEND.map((ending) => (
          <span key={ending}>
            <Glyph ending={ending} />
            {texts.ending[ending]}
          </span>
        ))}
      </p>
    </div>
  );
}

export function Examples() {
  const isSmall = current.value.panels.some(({ provider }) => provider === "local");
  const examples: readonly string[] = isSmall ? texts.start.smallExample : texts.start.example;
  return (
    <ul class="examples" aria-label={texts.start.examples}>
      {examples.map((example, index) => (
        <li key={example}>
          <button
            type="button"
            data-testid="example"
            onClick={() => {
              draft.text.value = example;
              focusComposer();
            }}
          >
            <Icon name={ICONS[index] ?? "search"} />
            {example}
          </button>
        </li>
      ))}
    </ul>
  );
}
