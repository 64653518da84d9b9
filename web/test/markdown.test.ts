// @vitest-environment jsdom

import { expect, test } from "vitest";
import { drawBlock, parseBlocks, safeLink } from "../src/markdown";

function html(markdown: string): string {
  const element = document.createElement("div");
  for (const block of parseBlocks(markdown).blocks) element.append(drawBlock(block));
  return element.innerHTML.trim();
}

function element(markdown: string): HTMLElement {
  const drawn = document.createElement("div");
  drawn.innerHTML = html(markdown);
  return drawn;
}

test("http, https and mailto are links, and nothing else is", () => {
  for (const address of ["http://a.example", "HTTPS://a.example/b?c=d", " mailto:a@b.example "]) {
    expect(safeLink(address), address).toBe(address.trim());
  }
  const bad = [
    "javascript:alert(1)",
    "java\nscript:x",
    "data:text/html,x",
    "vbscript:x",
    "//a.example",
    "/a",
    "https://",
  ];
  for (const address of [...bad, "", null, undefined]) expect(safeLink(address)).toBeNull();
  expect(html("[a](javascript:alert(1)) and [b](https://b.example)")).toBe(
    '<p>[a](javascript:alert(1)) and <a href="https://b.example" target="_blank" rel="noopener noreferrer nofollow">b</a></p>',
  );
});

test("HTML is shown as text, except for a few harmless tags", () => {
  const drawn = element(
    '<script>alert(1)</script>\n\nH<sub>2</sub>O <b onclick="x()">bold</b> <img src=x onerror=x()>',
  );
  expect(drawn.querySelector("script, img, [onclick]")).toBeNull();
  expect(drawn.textContent).toContain("<script>alert(1)</script>");
  expect(drawn.textContent).toContain("<img src=x onerror=x()>");
  expect(drawn.querySelector("sub")?.textContent).toBe("2");
});

test("an image becomes a link, which loads nothing", () => {
  const drawn = element("![A cat](https://a.example/cat.png) ![](data:image/png;base64,AAAA)");
  expect(drawn.querySelector("img")).toBeNull();
  expect([...drawn.querySelectorAll("a")].map(({ href }) => href)).toEqual(["https://a.example/cat.png"]);
  expect(drawn.textContent).toBe("Image: A cat ![](data:image/png;base64,AAAA)");
});

test("attributes can't be broken out of", () => {
  const drawn = element(
    '[a](https://a.example/"onmouseover="x() "title\\" onclick=\\"x()")\n\n```a"onclick="x()\ncode\n```',
  );
  for (const node of drawn.querySelectorAll("*")) {
    expect(node.getAttributeNames().filter((name) => name.startsWith("on"))).toEqual([]);
  }
});

test("tables, lists and code are drawn", () => {
  const drawn = element("| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n\n```js\n1 < 2\n```");
  expect([...drawn.querySelectorAll("td")].map((cell) => cell.textContent)).toEqual(["1", "2"]);
  expect(drawn.querySelector("li")?.textContent).toContain("☑ done");
  expect(drawn.querySelector(".code-info")?.textContent).toBe("js");
  expect(drawn.querySelector("code")?.textContent).toBe("1 < 2");
});

test("text that is nested too deeply stays plain text, paragraph by paragraph", () => {
  const deep = `${">".repeat(3000)} deep`;
  const drawn = element(`# Before\n\n${deep}\n\n**after**`);
  expect(drawn.querySelector("h1")?.textContent).toBe("Before");
  expect(drawn.querySelector("p.plain")?.textContent).toContain(deep);
  expect(drawn.querySelector("strong")?.textContent).toBe("after");
});
