/** The page that asks for the server's token. Its edge waits, as the page does. */

import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { texts } from "../texts";
import { type TokenQuestion, tokenQuestion } from "../token";
import { Icon, IconButton } from "./icons";

export function SignIn({ question: { answer, refused } }: { question: TokenQuestion }) {
  const page = useRef<HTMLDialogElement>(null);
  const field = useId();
  const problem = useId();
  const [token, setToken] = useState(refused?.token ?? "");
  const [shown, setShown] = useState(false);
  const [remember, setRemember] = useState(refused?.remember ?? false);
  useLayoutEffect(() => {
    page.current?.showModal();
  }, []);
  return (
    <dialog
      ref={page}
      class="door"
      aria-label={texts.signIn.submit}
      data-testid="token-dialog"
      onClose={() => tokenQuestion.value && answer(null)}
    >
      <form
        class="door-in reply"
        data-ending="waiting"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) answer({ token: token.trim(), remember });
        }}
      >
        <div class="said">
          <i class="edge" aria-hidden="true" />
          <h1>{texts.signIn.title}</h1>
          <p class="lead">{texts.signIn.lead(location.host)}</p>
          <div class="field">
            <label class="label" for={field}>
              {texts.signIn.token}
            </label>
            <div class="secret">
              <input
                id={field}
                class="input"
                {...(shown ? { type: "text" as const } : { type: "password" as const })}
                autocomplete="current-password"
                autocapitalize="off"
                spellcheck={false}
                autofocus
                aria-invalid={refused !== null}
                aria-describedby={refused ? problem : undefined}
                data-testid="token-input"
                value={token}
                onInput={(event) => setToken(event.currentTarget.value)}
              />
              <IconButton
                icon="eye"
                class="small"
                label={shown ? texts.signIn.hide : texts.signIn.show}
                onClick={() => setShown(!shown)}
              />
            </div>
            {refused && (
              <p class="problem field-problem" id={problem} role="alert">
                <Icon name="alert" />
                {texts.signIn.refused}
              </p>
            )}
          </div>
          <label class="check">
            <input
              type="checkbox"
              data-testid="remember"
              checked={remember}
              onChange={(event) => setRemember(event.currentTarget.checked)}
            />
            {texts.signIn.remember}
          </label>
        </div>
        <footer class="verdict">
          <button type="submit" class="btn primary wide button" data-testid="token-submit" disabled={!token.trim()}>
            {texts.signIn.submit}
          </button>
          <p class="hint">{texts.signIn.hint}</p>
        </footer>
      </form>
    </dialog>
  );
}
