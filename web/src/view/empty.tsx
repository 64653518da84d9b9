/** What a conversation shows before its first question. */

import * as draft from "../draft";
import { focusComposer } from "../focus";

const EXAMPLES = [
  { title: "Explain", prompt: "Explain how a hash map works, with a small example in Python." },
  { title: "Compare", prompt: "Compare tea and coffee in a table: caffeine, taste, ritual." },
  { title: "Write", prompt: "Write a short, friendly mail that moves a meeting to Thursday at 10." },
  { title: "Find", prompt: "What could go wrong with a cache that never expires? Name the three worst cases." },
];

export function Welcome() {
  return (
    <div class="welcome">
      <h2>What would you like to ask?</h2>
      <p>
        Every reply shows how it ended: complete, cut off, or broken. Add a panel to ask another model the same
        question.
      </p>
    </div>
  );
}

export function Examples() {
  return (
    <ul class="examples" aria-label="Examples">
      {EXAMPLES.map(({ title, prompt }) => (
        <li key={title}>
          <button
            type="button"
            data-testid="example"
            onClick={() => {
              draft.text.value = prompt;
              focusComposer();
            }}
          >
            <strong>{title}</strong>
            <span>{prompt}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
