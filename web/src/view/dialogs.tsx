/** The dialogs, of which one at most is open. */

import { signal } from "@preact/signals";
import { useId, useState } from "preact/hooks";
import { edited, forgetAll } from "../actions";
import type { Settings } from "../model";
import { service } from "../providers";
import { SHORTCUTS } from "../shortcuts";
import { current, revision } from "../store";
import { type Question, asking } from "../token";
import { Dialog } from "./dialog";

export const opened = signal<"settings" | "shortcuts" | "delete-all" | null>(null);

const close = (): void => {
  opened.value = null;
};

export function Dialogs() {
  if (asking.value !== null) return <TokenDialog question={asking.value} />;
  switch (opened.value) {
    case "settings":
      return <SettingsDialog />;
    case "shortcuts":
      return <ShortcutsDialog />;
    case "delete-all":
      return <DeleteAllDialog />;
    default:
      return null;
  }
}

function SettingsDialog() {
  void revision.value;
  const { settings } = current.value;
  const change = (part: Partial<Settings>): void => {
    Object.assign(settings, part);
    edited();
  };
  const number = (text: string): number | null => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));
  const most = service.value.limits.max_tokens;
  return (
    <Dialog title="Settings of this conversation" onClose={close} testId="settings-dialog">
      <label class="field">
        <span>System instruction</span>
        <textarea
          rows={5}
          data-testid="system-instruction"
          value={settings.system}
          placeholder="How the model shall behave, in every reply"
          onInput={(event) => change({ system: event.currentTarget.value })}
        />
      </label>
      <div class="field-row">
        <label class="field">
          <span>Most tokens a reply</span>
          <input
            type="number"
            min={1}
            max={most ?? undefined}
            step={1}
            inputMode="numeric"
            data-testid="max-tokens"
            placeholder={most ? `up to ${most.toLocaleString()}` : "the model's limit"}
            value={settings.maxTokens ?? ""}
            onInput={(event) => change({ maxTokens: number(event.currentTarget.value) })}
          />
        </label>
        <label class="field">
          <span>Temperature</span>
          <input
            type="number"
            min={0}
            max={2}
            step={0.1}
            inputMode="decimal"
            data-testid="temperature"
            placeholder="the model's own"
            value={settings.temperature ?? ""}
            onInput={(event) => change({ temperature: number(event.currentTarget.value) })}
          />
        </label>
        <label class="field">
          <span>Reasoning</span>
          <select
            data-testid="reasoning-level"
            value={settings.reasoning}
            onChange={(event) => change({ reasoning: event.currentTarget.value as Settings["reasoning"] })}
          >
            <option value="">model's own</option>
            <option value="none">none</option>
            <option value="low">low</option>
            <option value="medium">medium</option>
            <option value="high">high</option>
          </select>
        </label>
      </div>
      <p class="hint">Only what you set is sent. A provider that does not know a setting says so.</p>
    </Dialog>
  );
}

function ShortcutsDialog() {
  return (
    <Dialog title="Keyboard shortcuts" onClose={close} testId="shortcuts-dialog">
      <dl class="shortcuts">
        {SHORTCUTS.map(({ keys, what }) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function DeleteAllDialog() {
  return (
    <Dialog title="Delete all conversations?" onClose={close}>
      <p>They are only in this browser, so they can't be brought back. Export them first if you may need them.</p>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick={close}>
          Keep them
        </button>
        <button
          type="button"
          class="button danger"
          data-testid="delete-all-confirm"
          onClick={() => {
            close();
            forgetAll();
          }}
        >
          Delete all
        </button>
      </div>
    </Dialog>
  );
}

function TokenDialog({ question: { answer, refused } }: { question: Question }) {
  const problem = useId();
  const [token, setToken] = useState("");
  return (
    <Dialog title="This server asks for a token" onClose={() => asking.value && answer(null)} testId="token-dialog">
      <form
        class="token"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) answer(token.trim());
        }}
      >
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            autocomplete="off"
            autofocus
            aria-invalid={refused}
            aria-describedby={refused ? problem : undefined}
            data-testid="token-input"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {refused && (
          <p class="field-problem" id={problem} role="alert">
            The server did not accept the token that it was shown.
          </p>
        )}
        <p class="hint">Whoever runs the server knows it. It is kept until you close this tab.</p>
        <div class="dialog-actions">
          <button type="submit" class="button primary" data-testid="token-submit" disabled={!token.trim()}>
            Go on
          </button>
        </div>
      </form>
    </Dialog>
  );
}
