/** Turns a model's markdown, which may be hostile, into blocks of DOM that can only be read.
 *
 * Rules: HTML is shown as text, except for a few harmless tags. Only http, https and mailto become links. An image
 * becomes a link, because loading it would tell its server that, and when, the reply was read.
 */

import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens, type TokensList } from "marked";

const INLINE_TAGS = /^<\/?(?:br|sub|sup|kbd|mark|small|b|i|u|s)\s*\/?>$/i;
const LINK = /^(?:https?:\/\/|mailto:)/i;

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

const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => (INLINE_TAGS.test(text.trim()) ? text : escapeHtml(text)),
    link({ href, title, tokens }: Tokens.Link) {
      return anchor(href, this.parser.parseInline(tokens), title);
    },
    image: ({ href, text, title }: Tokens.Image) =>
      anchor(
        href,
        `<span class="image-link">Image: ${escapeHtml(text || safeLink(href) || "without a name")}</span>`,
        title,
      ),
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? "☑ " : "☐ "),
    code: ({ text, lang }: Tokens.Code) =>
      `<pre><code class="language-${escapeHtml((lang ?? "").trim().split(/\s+/)[0] ?? "")}">${escapeHtml(text)}</code></pre>`,
  },
});

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
    ALLOWED_ATTR: ["href", "title", "class", "align", "start"],
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

const TOO_DEEP = /^(?:[ \t]*>){60}/m; // nested quotes: each level costs the parser time and stack

function lexBlocks(text: string): { blocks: Block[]; links: TokensList["links"] } | null {
  if (TOO_DEEP.test(text)) return null;
  try {
    const tokens = marked.lexer(text);
    return { blocks: tokens.map((token) => ({ raw: token.raw, token })), links: tokens.links };
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
