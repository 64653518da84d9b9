/** What went wrong, in plain words; the provider's own words are folded. */

import { copyText } from "../code";
import type { Failure } from "../reply";
import { texts } from "../texts";
import { toast } from "../toasts";
import { Icon } from "./icons";

/** `isShort`: text came before the failure, and the verdict says the rest. */
export function FailureCard({ failure, isShort }: { failure: Failure; isShort: boolean }) {
  const copy = async (): Promise<void> => {
    const done = await copyText(failure.details.map((pair) => pair.join(": ")).join("\n"));
    toast(done ? texts.act.copiedPlain : texts.act.notCopied);
  };
  return (
    <div class="fail" data-testid="error-card" data-code={failure.code}>
      {!isShort && <h3>{failure.title}</h3>}
      {!isShort && failure.sentence && <p>{failure.sentence}</p>}
      {failure.details.length > 0 && (
        <details class="details" data-testid="details">
          <summary>
            <Icon name="fold" />
            {texts.act.details}
          </summary>
          <dl>
            {failure.details.map(([label, value]) => (
              <div key={label} class="pair">
                <dt>{label}</dt>
                <dd class="raw" dir="auto">
                  {value}
                </dd>
              </div>
            ))}
          </dl>
          <button type="button" class="btn quiet" onClick={() => void copy()}>
            <Icon name="copy" />
            {texts.failureMore.copy}
          </button>
        </details>
      )}
    </div>
  );
}
