/** Blocks of code: a heading with the language and a copy button, and colors once the block is complete. */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { announce } from "./announce";
import { sanitize } from "./markdown";
import { texts } from "./texts";
import { download } from "./transfer";
import { type IconName, iconPath } from "./view/icons";

const LANGUAGES = {
  bash,
  c,
  cpp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.configure({ ignoreUnescapedHTML: true });

/** Of a saved file, by the language; `txt` for others. */
const FILE_ENDINGS: Readonly<Record<string, string>> = {
  bash: "sh",
  c: "c",
  cpp: "cpp",
  css: "css",
  diff: "diff",
  go: "go",
  html: "html",
  java: "java",
  javascript: "js",
  js: "js",
  json: "json",
  python: "py",
  rust: "rs",
  sh: "sh",
  sql: "sql",
  ts: "ts",
  typescript: "ts",
  xml: "xml",
  yaml: "yaml",
};

const MAX_HIGHLIGHTED = 60_000; // characters; a longer block would block the page while it is highlighted

/** Return the first word after the fence if it can be shown as the name of a language, else "". */
function languageName(info: string): string {
  const word = info.trim().split(/\s+/)[0] ?? "";
  return /^[\w+#.-]{1,24}$/.test(word) ? word : "";
}

/** `info`: what stands behind the opening fence. All of it is shown. */
function codeFigure(info: string, pre: HTMLPreElement): HTMLElement {
  const language = languageName(info);
  const figure = document.createElement("figure");
  figure.className = "code";
  figure.dir = "ltr";
  const head = document.createElement("figcaption");
  const label = document.createElement("span");
  label.textContent = info.trim() || "text";
  const wrap = headButton("wrap", texts.code.wrap);
  wrap.setAttribute("aria-pressed", "false");
  wrap.addEventListener("click", () => {
    const wrapped = pre.dataset.wrap !== "true";
    pre.dataset.wrap = String(wrapped);
    wrap.setAttribute("aria-pressed", String(wrapped));
  });
  const save = headButton("download", texts.code.save);
  save.addEventListener("click", () => {
    const ending = Object.hasOwn(FILE_ENDINGS, language) ? FILE_ENDINGS[language] : "txt";
    download(new Blob([pre.textContent ?? ""], { type: "text/plain" }), `code.${ending}`);
  });
  const copy = headButton("copy", texts.code.copyLabel(language));
  copy.addEventListener("click", () => void copyCode(copy, pre));
  head.append(label, wrap, save, copy);
  pre.tabIndex = 0; // so that the keyboard can scroll it
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", texts.code.code);
  figure.append(head, pre);
  return figure;
}

export function headButton(icon: IconName, label: string): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "ib icon-button s";
  button.title = label;
  button.setAttribute("aria-label", label);
  drawIcon(button, icon);
  return button;
}

function drawIcon(button: HTMLButtonElement, name: IconName): void {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  if (svg === undefined || path === undefined) return;
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", iconPath(name));
  svg.append(path);
  button.replaceChildren(svg);
}

async function copyCode(button: HTMLButtonElement, pre: HTMLPreElement): Promise<void> {
  const done = await copyText(pre.textContent ?? "");
  announce(done ? texts.code.codeCopied : texts.act.notCopied);
  if (!done) return;
  drawIcon(button, "check");
  window.setTimeout(() => drawIcon(button, "copy"), 1800);
}

/** Copy a text; return whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text); // only in secure contexts
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "off-screen";
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}

/** Make a code block whose fence is not closed yet. Its text grows without being parsed or drawn again, uncolored. */
export function openCode(info: string, text: string): { figure: HTMLElement; grow: (text: string) => void } {
  const pre = document.createElement("pre");
  const code = document.createElement("code");
  const node = document.createTextNode(text);
  code.append(node);
  pre.append(code);
  const grow = (longer: string): void => {
    if (longer.startsWith(node.data)) node.appendData(longer.slice(node.length));
    else node.data = longer;
  };
  return { figure: codeFigure(info, pre), grow };
}

/** Give each code block in the element its heading and its colors. */
export function decorateCode(element: HTMLElement): void {
  for (const pre of element.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    if (code === null) continue;
    const before = pre.previousElementSibling;
    const caption = before?.classList.contains("code-info") ? before : null;
    const info = caption?.textContent ?? "";
    caption?.remove();
    const language = languageName(info);
    const text = code.textContent ?? "";
    if (hljs.getLanguage(language) && text.length < MAX_HIGHLIGHTED) {
      code.replaceChildren(sanitize(hljs.highlight(text, { language, ignoreIllegals: true }).value));
    }
    const place = document.createComment("");
    pre.replaceWith(place);
    place.replaceWith(codeFigure(info, pre));
  }
}
