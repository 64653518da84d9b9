// @vitest-environment jsdom

import { beforeEach, expect, test, vi } from "vitest";
import { Prose } from "../src/prose";

const MARKDOWN = `# A heading

A paragraph with **bold** text, and [a link][1].

- one
- two

  more of two

\`\`\`python
def greet():
    return "hello"
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

The end.

[1]: https://a.example/
`;

let host: HTMLElement;
let prose: Prose;
beforeEach(() => {
  host = document.createElement("div");
  prose = new Prose(host, 0);
  return () => prose.dispose();
});

function drawnAtOnce(text: string): string {
  const other = document.createElement("div");
  new Prose(other).update(text, true);
  return other.innerHTML;
}

test("a text that grew by any steps looks as if it had arrived at once", () => {
  const whole = drawnAtOnce(MARKDOWN);
  expect(whole).toContain('href="https://a.example/"');
  for (const step of [1, 2, 7, 50]) {
    const growing = new Prose(host, 0);
    for (let end = 0; end < MARKDOWN.length; end += step) growing.update(MARKDOWN.slice(0, end), false);
    growing.update(MARKDOWN, true);
    expect(host.innerHTML, `in steps of ${step}`).toBe(whole);
    growing.dispose();
    host.replaceChildren();
  }
});

test("while a text grows, all of it is drawn at each step", () => {
  vi.useFakeTimers({ toFake: ["performance"] }); // a clock that stands still: no drawing counts as slow
  // Up to the link definition, which only the complete text can apply to the paragraph before.
  for (let end = 1; end < MARKDOWN.indexOf("[1]:"); end += 9) {
    const other = document.createElement("div");
    new Prose(other).update(MARKDOWN.slice(0, end), false);
    prose.update(MARKDOWN.slice(0, end), false);
    expect(host.innerHTML).toBe(other.innerHTML);
  }
  vi.useRealTimers();
});

test("blocks that are closed are not drawn again", () => {
  prose.update("one\n\ntwo\n\nthree", false);
  const [one, two] = host.children;
  prose.update("one\n\ntwo\n\nthree and more\n\nfour", false);
  prose.update("one\n\ntwo\n\nthree and more\n\nfour", true);
  expect([host.children[0], host.children[1]]).toEqual([one, two]);
  expect(host.children[0]).toBe(one);
  expect(host.children[1]).toBe(two);
});

test("an open fence of code grows in place, and gets its colors when the text is complete", async () => {
  prose.update("```python\nx = 1", false);
  const pre = host.querySelector("pre");
  prose.update("```python\nx = 1\ny = 2", false);
  await vi.waitFor(() => expect(pre?.textContent).toBe("x = 1\ny = 2")); // it rests after a slow drawing
  expect(host.querySelector("pre")).toBe(pre);
  expect(host.querySelector(".hljs-number")).toBeNull();
  prose.update("```python\nx = 1\ny = 2\n```", true);
  expect([...host.querySelectorAll(".hljs-number")].map(({ textContent }) => textContent)).toEqual(["1", "2"]);
});

test("a text that was replaced is drawn anew", () => {
  prose.update("one\n\ntwo", false);
  prose.update("three", true);
  expect(host.textContent?.trim()).toBe("three");
});
