/** Markdown of a model, which is nobody's friend, to blocks of DOM that can do nothing but be read.
 *
 * Rules: HTML in it is shown as text, but for a few harmless tags. Only http, https and mailto are links. Images are
 * links: loading one would tell its server that, and when, the reply was read.
 */

import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens, type TokensList } from "marked";

const INLINE_TAGS = /^<\/?(?:br|sub|sup|kbd|mark|small|b|i|u|s)\s*\/?>$/i;
const LINK = /^(?:https?:\/\/|mailto:)/i;

const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The address when it may be a link, else null. */
export function linkable(address: string | null | undefined): string | null {
  const trimmed = (address ?? "").trim();
  return LINK.test(trimmed) && URL.canParse(trimmed) ? trimmed : null;
}

function anchor(address: string, inner: string, title?: string | null): string {
  const href = linkable(address);
  if (href === null) return inner;
  return `<a href="${escape(href)}"${title ? ` title="${escape(title)}"` : ""}>${inner}</a>`;
}

const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => (INLINE_TAGS.test(text.trim()) ? text : escape(text)),
    link({ href, title, tokens }: Tokens.Link) {
      return anchor(href, this.parser.parseInline(tokens), title);
    },
    image: ({ href, text, title }: Tokens.Image) =>
      anchor(href, `<span class="image-link">Image: ${escape(text || linkable(href) || "without a name")}</span>`, title),
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? "☑ " : "☐ "),
    code: ({ text, lang }: Tokens.Code) =>
      `<pre><code class="language-${escape((lang ?? "").trim().split(/\s+/)[0] ?? "")}">${escape(text)}</code></pre>`,
  },
});

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.nodeName !== "A") return;
  if (linkable(node.getAttribute("href")) === null) node.removeAttribute("href");
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const ALLOWED_TAGS = [
  ..."p br hr em strong del b i u s sub sup kbd mark small code pre blockquote ul ol li a span".split(" "),
  ..."h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split(" "),
];

/** HTML to DOM that holds only what is on the list. */
export function sanitise(html: string): DocumentFragment {
  return purify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR: ["href", "title", "class", "align", "start"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

/** A piece of markdown that can be drawn apart from the others. */
export interface Block {
  raw: string;
  token: Token;
}

const TOO_DEEP = /^(?:[ \t]*>){60}/m; // quotes in quotes, which take time and stack for every level

function lexed(text: string): { blocks: Block[]; links: TokensList["links"] } | null {
  if (TOO_DEEP.test(text)) return null;
  try {
    const tokens = marked.lexer(text);
    return { blocks: tokens.map((token) => ({ raw: token.raw, token })), links: tokens.links };
  } catch {
    return null; // nested too deeply for the stack
  }
}

/** The blocks of a text. Where marked can't take all of it, the paragraphs that it can't take stay plain text. */
export function blocks(text: string): { blocks: Block[]; links: TokensList["links"] } {
  const whole = lexed(text);
  if (whole) return whole;
  const pieces = text.split(/(?<=\n\n)(?!\n)/);
  const plain = (raw: string): Block => ({ raw, token: { type: "plain", raw } });
  return { blocks: pieces.flatMap((piece) => lexed(piece)?.blocks ?? [plain(piece)]), links: {} };
}

/** The DOM of one block, sanitised. */
export function draw({ raw, token }: Block): DocumentFragment {
  try {
    if (token.type !== "plain") return sanitise(marked.parser([token]));
  } catch {
    // as below
  }
  const fragment = document.createDocumentFragment();
  const paragraph = document.createElement("p");
  paragraph.className = "plain";
  paragraph.textContent = raw;
  fragment.append(paragraph);
  return fragment;
}
