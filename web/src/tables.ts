/** Tables: each can be scrolled alone, and copied for a spreadsheet. */

import { copyText, headButton } from "./code";
import { texts } from "./texts";
import { toast } from "./toasts";

/** A spreadsheet would run a cell that begins so, unless it is a number. */
const FORMULA = /^(?:[=@\t\r]|[+-](?![\d.,]+\s*%?$))/;

/** Return a table as CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe before it. */
export function asCsv(table: HTMLTableElement): string {
  return [...table.rows].map((row) => [...row.cells].map(cellText).map(quoted).join(",")).join("\r\n");
}

function cellText(cell: HTMLTableCellElement): string {
  const copy = cell.cloneNode(true) as HTMLElement;
  for (const number of copy.querySelectorAll(".cite")) number.remove();
  const text = (copy.textContent ?? "").trim();
  return FORMULA.test(text) ? `'${text}` : text;
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Give each table in the element its own scroller and its button. */
export function decorateTables(element: HTMLElement): void {
  for (const table of element.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table";
    const scroller = document.createElement("div");
    scroller.className = "table-scroll";
    scroller.tabIndex = 0; // so that the keyboard can scroll it
    scroller.setAttribute("role", "group");
    scroller.setAttribute("aria-label", texts.code.table);
    const copy = headButton("copy", texts.code.copyTable);
    copy.addEventListener("click", () => void copyTable(table));
    table.replaceWith(frame);
    scroller.append(table);
    frame.append(scroller, copy);
  }
}

async function copyTable(table: HTMLTableElement): Promise<void> {
  toast((await copyText(asCsv(table))) ? texts.code.tableCopied : texts.act.notCopied);
}
