// @vitest-environment jsdom

// The numbers of sources in the text, and tables for a spreadsheet.

import { expect, test } from "vitest";
import type { Source } from "../src/model";
import { Prose } from "../src/prose";
import { asCsv } from "../src/tables";

const source = (end: number, url: string | null = "https://a.example/"): Source => ({
  url,
  title: "A title",
  text: null,
  end,
});

function draw(text: string, sources: readonly Source[]): HTMLElement {
  const host = document.createElement("div");
  new Prose(host, 0).update(text, true, sources);
  return host;
}

test.each([
  ["The sea is salty. It is wet.", [17], "The sea is salty.1 It is wet."],
  ["🌊🌊 is wet. And more.", [10], "🌊🌊 is wet.1 And more."],
  ["**Salt** comes\n\nfrom rocks.", [8, 27, 27], "Salt1 comes|from rocks.23"],
  ["# Salt\n\n- one\n- two\n", [6, 13, 20], "Salt1|one2two3"],
  ["See https://b.example/x now.", [23], "See https://b.example/x1 now."],
  ["| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd.", [29, 36], "ab121|End.2"],
])("numbers stand behind the words: %s", (text, ends, shown) => {
  const host = draw(
    text,
    ends.map((end) => source(end)),
  );
  const blocks = [...host.children].map((block) =>
    (block.textContent ?? "").replace(/\s*\n\s*/g, "").replace(/\ufeff/g, ""),
  );
  expect(blocks.filter(Boolean).join("|")).toBe(shown);
  for (const cite of host.querySelectorAll("a.cite")) {
    expect(cite.getAttribute("href")).toBe("https://a.example/");
    expect(cite.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  }
  expect(host.querySelectorAll(".cite")).toHaveLength(ends.length);
});

test.each([
  ["```python\nprint(1)\n```\n\nText.", [9, 15, 22]],
  ["A sum \\(a + b\\) and `code` here", [10, 24]],
])("code and formulas stay as they are: %s", (text, ends) => {
  const cited = draw(
    text,
    ends.map((end) => source(end)),
  );
  for (const name of ["pre", "code", ".formula"]) {
    expect(cited.querySelector(name)?.textContent).toBe(draw(text, []).querySelector(name)?.textContent);
  }
  expect(cited.textContent).not.toMatch(/[\ue000-\uf8ff]/);
});

test.each(["javascript:attacked('cite')", "data:text/html,<script>", null, "not an address"])(
  "a source at %s is a number that leads nowhere",
  (url) => {
    const host = draw("Salty.", [{ ...source(6, url), title: "<img src=x onerror=attacked('title')>" }]);
    expect(host.querySelector("a, img")).toBeNull();
    expect(host.querySelector(".cite")?.textContent).toBe("1");
  },
);

test.each([-5, 0, 1e9, Number.NaN, 1.5])("a place that is none is no harm: %s", (end) => {
  expect(
    draw("One two.", [source(end)])
      .textContent?.trimEnd()
      .replace(/[1\ufeff]/g, ""),
  ).toBe("One two.");
});

test("a text that has the characters of the marks itself is drawn as it came", () => {
  const text = "A \ufeff\ue000 mark.";
  const host = draw(text, [source(3)]);
  expect(host.textContent?.trimEnd()).toBe(text);
  expect(host.querySelector(".cite")).toBeNull();
});

test("a table is copied as CSV, without the numbers and without formulas", () => {
  const text = '| a | b, c |\n|---|---|\n| say "hi" | =1+1 |\n| -5.2 | @x |\n| +SUM(1) | -1,000 % |';
  const table = draw(text, [source(34)]).querySelector("table");
  expect(table && asCsv(table)).toBe(
    ['a,"b, c"', '"say ""hi""",\'=1+1', "-5.2,'@x", '\'+SUM(1),"-1,000 %"'].join("\r\n"),
  );
});
