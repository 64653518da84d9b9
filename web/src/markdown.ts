/** Turns a model's markdown, which may be hostile, into blocks of DOM that can only be read.
 *
 * Rules: what is shown has every character that was received, except the marks of Markdown; so HTML and entities are
 * text (except for a few harmless tags), a backslash is always shown, and `formulas.ts` draws mathematics. Only http,
 * https and mailto become links. An image becomes a link, because loading it would tell its server that, and when, the
 * reply was read.
 */

import DOMPurify from "dompurify";
import { Lexer, Marked, Renderer, type Token, Tokenizer, type Tokens, type TokensList } from "marked";

const LINK = /^(?:https?:\/\/|mailto:)/i;
const LINE_BREAK = /^<br\s*\/?>/;
const INLINE_TAG = /^<(sub|sup|kbd|mark|small|b|i|u|s)>(?!\s*<\/)([\s\S]{1,2000}?)<\/\1>/;
/** The single dollar follows Pandoc: no space inside, no letter or digit after it. */
const MATH =
  /\\\([\s\S]{1,1000}?\\\)|\\\[[\s\S]{1,1000}?\\\]|\$\$[\s\S]{1,1000}?\$\$|\$(?=[^\s$])(?:(?!\*\*)[^$\n`]){1,300}?(?<=[^\s\\])\$(?!\w)/g;
const MATH_HERE = new RegExp(`^(?:${MATH.source})`);
const MATH_BLOCK = /^ {0,3}(\\\[|\$\$|\\begin\{\w+\*?\})/;
/** A link definition whose address can be a link. Any other line of this form, such as "[Note]: yes", is text. */
const DEFINITION =
  /^ {0,3}\[((?:\\.|[^[\]\\\n]){1,200})\]:[ \t]*\n?[ \t]*(?:<([^<>\n]+)>|([^\s<]\S*))(?:[ \t]+("[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*(?:\n+|$)/;

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Return the address if it may become a link, else null. */
export function safeLink(address: string | null | undefined): string | null {
  const trimmed = (address ?? "").trim();
  return LINK.test(trimmed) && URL.canParse(trimmed) ? trimmed : null;
}

function anchor(address: string, inner: string, title?: string | null): string {
  const href = safeLink(address);
  if (href === null) return inner;
  return `<a href="${escapeHtml(href)}"${title ? ` title="${escapeHtml(title)}"` : ""}>${inner}</a>`;
}

/** Return the text behind the opening fence of a block of code. */
export const fenceInfo = (token: Token): string =>
  token.type === "code" ? (/^ {0,3}(?:`{3,}|~{3,})([^\n]*)/.exec(token.raw)?.[1]?.trim() ?? "") : "";

/** Return the token if it may become a link; else its first character stays text. */
function linkOrText<T extends Token>(token: T | undefined): T | Tokens.Text | undefined {
  if (token === undefined || !("href" in token) || safeLink(token.href) !== null) return token;
  const [text = ""] = token.raw;
  return { type: "text", raw: text, text };
}

/** Return how many cells a row of a table has. */
const cellCount = (row: string): number =>
  row
    .trim()
    .replace(/^\||(?<!\\)\|$/g, "")
    .split(/(?<!\\)\|/).length;

const marked = new Marked({
  gfm: true,
  breaks: false,
  extensions: [
    {
      name: "math",
      level: "inline",
      start: (text) => text.search(/\\[([]|\$/),
      tokenizer: (text) => asIs("math", MATH_HERE.exec(text)?.[0]),
      renderer: ({ raw }) => `<span class="formula">${escapeHtml(raw)}</span>`,
    },
    {
      name: "mathBlock",
      level: "block",
      start: (text) => text.slice(0, endOfParagraph(text)).search(/\n {0,3}(?:\\\[|\$\$|\\begin\{)/) + 1 || undefined,
      tokenizer: (text) => asIs("mathBlock", mathBlock(text)),
      renderer: ({ raw }) => `<p class="plain formula">${escapeHtml(raw.trim())}</p>`,
    },
    {
      name: "definition",
      level: "block",
      tokenizer(text) {
        const raw = DEFINITION.exec(text)?.[0];
        if (raw === undefined) return undefined;
        const label = raw.slice(0, raw.indexOf("]:") + 2); // as text: it would be a link to its own address
        return { type: "definition", raw, label, tokens: this.lexer.inline(raw.slice(label.length).trim()) };
      },
      renderer({ label, tokens }) {
        return `<p>${escapeHtml(label.trim())} ${this.parser.parseInline(tokens ?? [])}</p>`;
      },
    },
    {
      name: "inlineTag",
      level: "inline",
      start: (text) => text.indexOf("<"),
      tokenizer(text) {
        const br = LINE_BREAK.exec(text)?.[0];
        if (br !== undefined) return { type: "inlineTag", raw: br, tag: "br" };
        const [raw, tag, inner = ""] = INLINE_TAG.exec(text) ?? [];
        return raw === undefined ? undefined : { type: "inlineTag", raw, tag, tokens: this.lexer.inlineTokens(inner) };
      },
      renderer({ tag, tokens }) {
        return tag === "br" ? "<br>" : `<${tag}>${this.parser.parseInline(tokens ?? [])}</${tag}>`;
      },
    },
  ],
  hooks: { emStrongMask: (text) => text.replace(MATH, ({ length }) => `[${"a".repeat(length - 2)}]`) },
  tokenizer: {
    html: () => undefined,
    tag: () => undefined,
    def: () => undefined,
    escape(text) {
      const token = Tokenizer.prototype.escape.call(this, text);
      return token && { ...token, text: token.raw };
    },
    link(text) {
      return linkOrText(Tokenizer.prototype.link.call(this, text)) as Tokens.Link | undefined;
    },
    reflink(text, links) {
      return linkOrText(Tokenizer.prototype.reflink.call(this, text, links));
    },
    autolink(text) {
      const token = Tokenizer.prototype.autolink.call(this, text);
      return token && safeLink(token.href) !== null ? token : undefined;
    },
    /** A row with more cells than the head would lose them, so such a table stays as it was written. */
    table(text) {
      const token = Tokenizer.prototype.table.call(this, text);
      if (token === undefined) return undefined;
      const [, , ...rows] = token.raw.split("\n");
      if (rows.every((row) => cellCount(row) <= token.header.length)) return token;
      return { type: "code", raw: token.raw, text: token.raw.trimEnd(), lang: "" } as unknown as Tokens.Table;
    },
  },
  renderer: {
    text(token) {
      return "tokens" in token && token.tokens ? this.parser.parseInline(token.tokens) : escapeHtml(token.raw);
    },
    br: ({ raw }) => (raw.startsWith("\\") ? "\\<br>" : "<br>"),
    link({ href, title, tokens }: Tokens.Link) {
      return anchor(href, this.parser.parseInline(tokens), title);
    },
    image: ({ href, text, title }: Tokens.Image) =>
      anchor(href, `<span class="image-link">Image: ${escapeHtml(text || href)}</span>`, title),
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? "☑ " : "☐ "),
    listitem(item) {
      const number = /^\s*(\d{1,9})[.)]/.exec(item.raw)?.[1];
      const html = Renderer.prototype.listitem.call(this, item);
      return number === undefined ? html : html.replace(/^<li>/, `<li value="${number}">`);
    },
    code(token: Tokens.Code) {
      const info = fenceInfo(token);
      return `${info && `<span class="code-info">${escapeHtml(info)}</span>`}<pre><code>${escapeHtml(token.text)}</code></pre>`;
    },
  },
});

const asIs = (type: string, raw: string | undefined): Tokens.Generic | undefined =>
  raw === undefined ? undefined : { type, raw };

function endOfParagraph(text: string): number {
  const end = text.search(/\n[ \t]*\n/);
  return end < 0 ? text.length : end;
}

/** Return the lines of mathematics at the start of the text: in them, a minus is not a list, nor "=" a heading. */
function mathBlock(text: string): string | undefined {
  const opening = MATH_BLOCK.exec(text);
  if (opening === null) return undefined;
  const [begin, mark = ""] = opening;
  const closing = mark === "\\[" ? "\\]" : mark.replace("\\begin", "\\end");
  const place = text.indexOf(closing, begin.length);
  if (place < 0 || place > endOfParagraph(text)) return undefined;
  const rest = /^[ \t]*[.,;:]?[ \t]*(?:\n+|$)/.exec(text.slice(place + closing.length));
  return rest === null ? undefined : text.slice(0, place + closing.length + rest[0].length);
}

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  if (safeLink(node.getAttribute("href")) === null) node.removeAttribute("href");
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const ALLOWED_TAGS = [
  ..."p br hr em strong del b i u s sub sup kbd mark small code pre blockquote ul ol li a span".split(" "),
  ..."h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split(" "),
];

/** Turn HTML into DOM with the allowed tags and attributes only. */
export function sanitize(html: string): DocumentFragment {
  return purify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR: ["href", "title", "class", "align", "start", "value"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

/** A piece of markdown that can be drawn on its own. */
export interface Block {
  raw: string;
  token: Token;
}

const normalizeLabel = (label: string): string => label.toLowerCase().replace(/\s+/g, " ");

const TOO_DEEP = /^(?:[ \t]*>){60}/m; // nested quotes: each level costs the parser time and stack

function lexBlocks(text: string): { blocks: Block[]; links: TokensList["links"] } | null {
  if (TOO_DEEP.test(text)) return null;
  try {
    const lexer = new Lexer(marked.defaults);
    const { links } = lexer.tokens;
    for (const line of text.matchAll(new RegExp(DEFINITION.source, "gm"))) {
      const [, label = "", bracketed, bare, title] = line;
      const href = safeLink(bracketed ?? bare);
      // As marked does it: the first definition counts.
      if (href !== null) links[normalizeLabel(label)] ??= { href, title: title?.slice(1, -1) ?? null };
    }
    return { blocks: lexer.lex(text).map((token) => ({ raw: token.raw, token })), links };
  } catch {
    return null; // nested too deeply for the stack
  }
}

/** Return the blocks of a text. Paragraphs that marked can't parse stay plain text. */
export function parseBlocks(text: string): { blocks: Block[]; links: TokensList["links"] } {
  const parsed = lexBlocks(text);
  if (parsed) return parsed;
  const pieces = text.split(/(?<=\n\n)(?!\n)/);
  const plain = (raw: string): Block => ({ raw, token: { type: "plain", raw } });
  return { blocks: pieces.flatMap((piece) => lexBlocks(piece)?.blocks ?? [plain(piece)]), links: {} };
}

/** Return the sanitized DOM of one block. */
export function drawBlock({ raw, token }: Block): DocumentFragment {
  try {
    if (token.type !== "plain") return sanitize(marked.parser([token]));
  } catch {
    // falls back to plain text
  }
  const fragment = document.createDocumentFragment();
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  paragraph.textContent = raw;
  fragment.append(paragraph);
  return fragment;
}
