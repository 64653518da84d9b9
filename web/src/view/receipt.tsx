/** The receipt of a reply: who was asked, who answered, how long, how much, and what becomes of the words. */

import { copyText } from "../code";
import type { Reply } from "../model";
import { noteOnCounts, receiptOf } from "../receipt";
import { endingOf } from "../reply";
import { texts } from "../texts";
import { toast } from "../toasts";
import { Glyph, IconButton } from "./icons";
import { Popover } from "./popover";

export function Receipt({ opener, reply, onClose }: { opener: HTMLElement; reply: Reply; onClose: () => void }) {
  const ending = endingOf(reply);
  const word = texts.ending[ending];
  const note = noteOnCounts(reply);
  const copy = async (value: string): Promise<void> => {
    toast((await copyText(value)) ? texts.act.copiedPlain : texts.act.notCopied);
  };
  return (
    <Popover opener={opener} label={texts.receipt.title} class="receipt" onClose={onClose} testId="receipt">
      <h3>
        <Glyph ending={ending} />
        {word.charAt(0).toUpperCase() + word.slice(1)}
      </h3>
      <p>{texts.meaning[ending]}</p>
      {receiptOf(reply).map((lines) => (
        <dl key={lines[0]?.label}>
          {lines.map(({ label, value, sum, copy: isCopied }) => (
            <div key={label} class={sum ? "sum" : ""}>
              <dt>{label}</dt>
              <dd>
                {value}
                {isCopied && (
                  <IconButton
                    icon="copy"
                    label={texts.receipt.copyRequest}
                    class="s"
                    onClick={() => void copy(value)}
                  />
                )}
              </dd>
            </div>
          ))}
        </dl>
      ))}
      {note && <p class="counts">{note}</p>}
    </Popover>
  );
}
