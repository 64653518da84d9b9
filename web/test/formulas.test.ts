// @vitest-environment jsdom

// The property of received.test.ts for formulas that are drawn: behind each drawing stands what was sent, all of it.

import { expect, test, vi } from "vitest";
import { readFormula } from "../src/formulas";
import { Prose } from "../src/prose";

const dense = (text: string | null): string => (text ?? "").replace(/\s+/g, "");

/** Draw a text, and wait for the formulas in it. */
async function draw(markdown: string, drawn: number): Promise<HTMLElement> {
  const host = document.createElement("div");
  new Prose(host, 0).update(markdown, true);
  await vi.waitFor(() => expect(host.querySelectorAll(".formula-drawn").length).toBe(drawn), { timeout: 15_000 });
  return host;
}

/** Return what stands in the page without the drawings. */
function sent(host: HTMLElement): string {
  const copy = host.cloneNode(true) as HTMLElement;
  for (const extra of copy.querySelectorAll(".formula-drawn, button")) extra.remove();
  return dense(copy.textContent);
}

test.each([
  [String.raw`The volume is \(V = 21\,700\ \mathrm{km}^3\), so $t = V/Q$.`, 2],
  [String.raw`\[ x = \frac{-b \pm \sqrt{b^2-4ac}}{2a} \].`, 1],
  ["$$\na\n= b\n- c \\\\\n$$", 1],
  [String.raw`\begin{align*} a &= b \\ &= c \end{align*}`, 1],
  [String.raw`# A heading with \(x_1*b*x_2\)`, 1],
  [String.raw`$f(x) = \begin{cases} 1 & \text{if this holds} \\ 0 \end{cases}$`, 1],
  ["It costs between $5 and 10$, or $HOME/bin$.", 0],
  [String.raw`\(\frac{1}{\) and \(\nosuchcommand\)`, 0],
  [String.raw`\(\href{javascript:attacked(1)}{x}\) \(\url{https://a.example}\)`, 0],
  [String.raw`\(\includegraphics{https://a.example/x.png}\) \(\htmlClass{a}{x} \htmlStyle{color:red}{y}\)`, 0],
  [String.raw`\(\def\a{\a\a}\a\)`, 0],
  [String.raw`\(x <script>attacked(1)</script> <img src=x onerror=attacked(2)>\)`, 1],
])("%s", async (markdown, drawn) => {
  const host = await draw(markdown, drawn);
  expect(sent(host)).toBe(dense(markdown.replace(/^# /, "")));
  expect(host.querySelector("a[href], img, script, [id], [onerror]")).toBeNull();
  for (const element of host.querySelectorAll(".formula-drawn")) {
    expect(element.querySelector("math annotation")?.textContent).toBeTruthy();
  }
});

test("a formula is drawn as soon as it is whole, and the text before it is not drawn again", async () => {
  await draw("$x$", 1); // from here on, KaTeX is there
  const host = document.createElement("div");
  const prose = new Prose(host, 0);
  prose.update("First.\n\nSo $a = b", false);
  const first = host.firstElementChild;
  expect(host.querySelector(".formula-drawn")).toBeNull();
  prose.update("First.\n\nSo $a = b$ and", false);
  await vi.waitFor(() => expect(host.querySelectorAll(".formula-drawn").length).toBe(1)); // it rests after a slow drawing
  prose.update("First.\n\nSo $a = b$ and more.", true);
  expect(host.querySelectorAll(".formula-drawn").length).toBe(1);
  expect(host.firstElementChild).toBe(first);
  expect(sent(host)).toBe("First.So$a=b$andmore.");
});

test.each([
  ["$x$", "x"],
  ["$O(n \\log n)$", "O(n \\log n)"],
  ["$5 and 10$", null],
  ["$20$", null],
  ["$ $", null],
  ["\\[x\\],", "x"],
])("%s is the formula %s", (raw, source) => {
  expect(readFormula(raw)?.source ?? null).toBe(source);
});
