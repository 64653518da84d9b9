// @vitest-environment jsdom

/** What is shown, without the marks of Markdown, has every character that was received. */

import { expect, test } from "vitest";
import { Prose } from "../src/prose";

function draw(markdown: string): HTMLElement {
  const host = document.createElement("div");
  new Prose(host, 0).update(markdown, true);
  // Behind the drawing of a formula stands what was sent: formulas.test.ts
  for (const extra of host.querySelectorAll("button, .formula-drawn")) extra.remove();
  return host;
}

/** Line breaks are where the block elements are, so white space is not compared. */
const dense = (text: string): string => text.replace(/\s+/g, "");
const shown = (markdown: string): string => dense(draw(markdown).textContent ?? "");

test.each([
  "std::vector<int> v; List<String> l;",
  "Map<K, V>, Array<b>, Vec<u>, List<S> and <T>",
  "<div>a</div> <!-- a comment --> <?php ?> <script>x</script>",
  "<div class='a'>\n\ntext\n\n</div>",
  "<details>\n<summary>More</summary>\n</details>",
  "<pre>a</pre> & b < c > d",
  "use <std::string> or <stdio.h> or <a:b>",
  "&lt;div&gt; &amp; &nbsp; &#65; &copy;",
  String.raw`\(a_1*b*c_2\) and \[x^2 * y * z\]`,
  String.raw`$a*b*c$ and $$\sum_{i} x_i * y_i$$`,
  String.raw`\frac{1}{2}, \{a\}, \\, \;, \!, \%, \$5, \_x\_ and \*`,
  String.raw`C:\new\_files and \\server\share and .\*`,
  String.raw`\begin{matrix} a & b \\ c & d \end{matrix}`,
  String.raw`\alpha \le \beta \implies \gamma`,
  "costs $5*2 and $10",
  "$HOME and $PATH, $1 to $2",
  "handlers[0](event) and [a](javascript:alert(1)) and [docs](docs/index.md)",
  "![](data:image/png;base64,AAAA)",
  "[1]: https://a.example/ 'a title'",
  "[Note]: important",
  "[TODO]: check [TODO]",
  "[a]: javascript:x [a]",
  "an ending \\",
  "x < y > z",
  "snake_case_name",
  "5 * 3 * 2 = 30",
  "a \\| b",
  "[ ] and [x] and [^1]",
  "www.a.example and https://a.example/x_y_z",
  "me@a.example",
  "#hashtag and #1",
  "10% ~5 !important ^2",
  "f(x) = {x | x > 0}",
  "“quotes” – dashes … ä 漢字 👩‍🔬",
  "-not a list",
  "<kbd>Ctrl",
  "</b> alone",
  "<br/ > <b >",
])("%s", (text) => {
  expect(shown(text)).toBe(dense(text));
});

test.each([
  ["a **bold** *word* and `code`", "a bold word and code"],
  ["a <b>bold</b> <kbd>Ctrl</kbd>", "a bold Ctrl"],
  ["H<sub>2</sub>O and x<sup>a<b</sup>", "H2O and xa<b"],
  ["a<br>b<br/>c", "abc"],
  ["`<b>` and `\\(x\\)` and `&lt;`", "<b> and \\(x\\) and &lt;"],
  ["`` a`b ``", "a`b"],
  ["[*b* `c`](https://a.example)", "b c"],
  ["<https://a.example/x>", "https://a.example/x"],
  ["[r] and [text][r]\n\n[r]: https://a.example/", "r and text[r]: https://a.example/"],
  ["[a]: /u\n[a]: /v", "[a]: /u[a]: /v"],
  ["<div>\n**b** x<y\n</div>", "<div>\nb x<y\n</div>"],
  ["# A <T> heading \\(x\\)", "A <T> heading \\(x\\)"],
  ["> a <T>", "a <T>"],
  ["- [x] done <T>", "☑ done <T>"],
  ["* a\\b", "a\\b"],
  ["```python title='x<y'\nx\n```", "python title='x<y'x"],
  ["~~~ words\nx", "wordsx"],
  ["```\n<b>\\(\n```", "text<b>\\("],
  ["    <b> &lt; \\(", "text<b> &lt; \\("],
  ["\\[\na\n= b\n- c \\\\\n\\].\nnext", "\\[\na\n= b\n- c \\\\\n\\].next"],
  ["$$\na\n=\nb\n$$", "$$\na\n=\nb\n$$"],
  ["so:\n\\begin{align*}\na\n- b\n\\end{align*}", "so:\\begin{align*}\na\n- b\n\\end{align*}"],
  ["> \\[\n> - x\n> \\]", "\\[\n- x\n\\]"],
  ["- \\[\n  = x\n  \\]", "\\[\n= x\n\\]"],
  ["**a $x**y$ b**", "a $xy$ b**"],
  ["*a $x*y$ b*", "a $x*y$ b"],
  ["| a | b |\n|---|---|\n| <T> | \\(x\\) |", "ab<T>\\(x\\)"],
  ["| a |\n|---|\n| `x|y` |", "text| a |\n|---|\n| `x|y` |"],
  ["| a |\n|---|\n| x \\| y |", "ax | y"],
  ["a\\\nb", "a\\b"],
  ["~~gone~~ <T>", "gone <T>"],
  ["a **b `c*d` e**", "a b c*d e"],
])("%s becomes %s", (text, expected) => {
  expect(shown(text)).toBe(dense(expected));
});

test("the items of a list keep their numbers", () => {
  const items = [...draw("3. c\n5. e\n5. f\n\n1) a").querySelectorAll("li")];
  expect(items.map(({ value, textContent }) => [value, textContent])).toEqual([
    [3, "c"],
    [5, "e"],
    [5, "f"],
    [1, "a"],
  ]);
});

test("a link by reference goes to its address", () => {
  const links = [
    ...draw("[one] and [two][1]\n\n[one]: https://a.example/\n[1]: <https://b.example/> 'B'").querySelectorAll("a"),
  ];
  expect(links.slice(0, 2).map(({ href, title }) => [href, title])).toEqual([
    ["https://a.example/", ""],
    ["https://b.example/", "B"],
  ]);
});
