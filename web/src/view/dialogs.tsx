/** The dialogs. At most one is open. */

import { signal } from "@preact/signals";
import { useId, useState } from "preact/hooks";
import { changeSettings, forgetAll } from "../actions";
import type { Settings } from "../model";
import { service } from "../providers";
import { SHORTCUTS } from "../shortcuts";
import { current } from "../store";
import { type TokenQuestion, tokenQuestion } from "../token";
import { Dialog } from "./dialog";

type DialogName = "settings" | "shortcuts" | "delete-all";

const openDialog = signal<DialogName | null>(null);

export function showDialog(name: DialogName): void {
  openDialog.value = name;
}

const close = (): void => {
  openDialog.value = null;
};

export function Dialogs() {
  if (tokenQuestion.value !== null) return <TokenDialog question={tokenQuestion.value} />;
  switch (openDialog.value) {
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
  const { settings } = current.value;
  const most = service.value.limits.max_tokens;
  return (
    <Dialog title="Settings of this conversation" onClose={close} testId="settings-dialog">
      <label class="field">
        <span>System instruction</span>
        <textarea
          rows={5}
          data-testid="system-instruction"
          value={settings.system}
          placeholder="How the model should behave in every reply"
          onInput={(event) => changeSettings({ system: event.currentTarget.value })}
        />
      </label>
      <div class="field-row">
        <label class="field">
          <span>Maximum tokens per reply</span>
          <input
            type="number"
            min={1}
            max={most ?? undefined}
            step={1}
            inputMode="numeric"
            data-testid="max-tokens"
            placeholder={most ? `up to ${most.toLocaleString()}` : "the model's limit"}
            value={settings.maxTokens ?? ""}
            onInput={(event) => changeSettings({ maxTokens: numberOrNull(event.currentTarget.value) })}
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
            placeholder="the model's default"
            value={settings.temperature ?? ""}
            onInput={(event) => changeSettings({ temperature: numberOrNull(event.currentTarget.value) })}
          />
        </label>
        <label class="field">
          <span>Reasoning</span>
          <select
            data-testid="reasoning-level"
            value={settings.reasoning}
            onChange={(event) => changeSettings({ reasoning: event.currentTarget.value as Settings["reasoning"] })}
          >
            <option value="">the model's default</option>
            <option value="none">none</option>
            <option value="low">low</option>
            <option value="medium">medium</option>
            <option value="high">high</option>
          </select>
        </label>
      </div>
      <p class="hint">
        Only what you set is sent. If a provider does not support a setting, the reply shows its error.
      </p>
    </Dialog>
  );
}

const numberOrNull = (text: string): number | null =>
  text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text);

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
      <p>They exist only in this browser and can't be restored. Export them first if you may need them.</p>
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

function TokenDialog({ question: { answer, refused } }: { question: TokenQuestion }) {
  const problem = useId();
  const [token, setToken] = useState("");
  return (
    <Dialog
      title="This server requires a token"
      onClose={() => tokenQuestion.value && answer(null)}
      testId="token-dialog"
    >
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
            The server did not accept this token.
          </p>
        )}
        <p class="hint">The operator of the server can give it to you. It is kept until you close this tab.</p>
        <div class="dialog-actions">
          <button type="submit" class="button primary" data-testid="token-submit" disabled={!token.trim()}>
            Continue
          </button>
        </div>
      </form>
    </Dialog>
  );
}
