/** The dialogs. At most one is open. */

import { signal } from "@preact/signals";
import { forgetAll } from "../deletion";
import { commands, shownKeys } from "../shortcuts";
import { conversations } from "../store";
import { texts } from "../texts";
import { tokenQuestion } from "../token";
import { Dialog } from "./dialog";
import { Glyph } from "./icons";
import { exportEverything } from "./list-foot";
import { Palette } from "./palette";
import { SignIn } from "./sign-in";

type DialogName = "help" | "delete-all" | "palette";

const openDialog = signal<DialogName | null>(null);

export function showDialog(name: DialogName): void {
  openDialog.value = name;
}

const close = (): void => {
  openDialog.value = null;
};

export function Dialogs() {
  if (tokenQuestion.value !== null) return <SignIn question={tokenQuestion.value} />;
  switch (openDialog.value) {
    case "help":
      return <Help />;
    case "delete-all":
      return <DeleteAll />;
    case "palette":
      return <Palette onClose={close} />;
    default:
      return null;
  }
}

/** The shapes that the help explains, the most frequent ones first. */
const SHAPES = [
  "complete",
  "truncated",
  "broken",
  "refused",
  "stopped",
  "waiting",
  "empty",
  "unknown",
] as const satisfies readonly (keyof typeof texts.ending)[];

function Help() {
  const keys = [
    { label: texts.help.send, keys: ["Enter"] },
    { label: texts.help.newLine, keys: ["Shift", "Enter"] },
    { label: texts.help.palette, keys: shownKeys(["Ctrl", "K"]) },
    ...commands().filter((command) => command.keys.length > 0),
  ];
  return (
    <Dialog title={texts.help.title} onClose={close} testId="shortcuts-dialog" broad>
      <div class="keys-part">
        <h3>{texts.help.keys}</h3>
        <dl class="keys">
          {keys.map(({ label, keys: combination }) => (
            <div key={label}>
              <dt>
                {combination.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{label}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div>
        <h3>{texts.help.edges}</h3>
        <dl class="shapes">
          {SHAPES.map((ending) => (
            <div key={ending}>
              <Glyph ending={ending} />
              <dt>{texts.ending[ending]}</dt>
              <dd>{texts.meaning[ending]}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}

function DeleteAll() {
  const footer = (
    <>
      <button type="button" class="btn quiet wide button start-of-row" onClick={close}>
        {texts.deleteAll.keep}
      </button>
      <button type="button" class="btn wide button" onClick={() => void exportEverything()}>
        {texts.deleteAll.export}
      </button>
      <button
        type="button"
        class="btn bad wide button danger"
        data-testid="delete-all-confirm"
        onClick={() => {
          close();
          forgetAll();
        }}
      >
        {texts.deleteAll.delete}
      </button>
    </>
  );
  return (
    <Dialog title={texts.deleteAll.title(conversations.value.length)} onClose={close} footer={footer}>
      <p>{texts.deleteAll.body}</p>
    </Dialog>
  );
}
