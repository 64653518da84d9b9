/** Rules of the build, as plugins of Vite. */

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const MOST_AT_FIRST = 150_000; // bytes, compressed, without the fonts (`font-display: swap`)

/** Fail if what the page loads at first is too much: the first script, what it imports, and the styles. */
export const limitFirstLoad = (): Plugin => ({
  name: "limit-first-load",
  generateBundle(_options, bundle) {
    const wanted = new Set<string>();
    const add = (name: string): void => {
      const found = bundle[name];
      if (found === undefined || wanted.has(name)) return;
      wanted.add(name);
      if (found.type !== "chunk") return;
      found.imports.forEach(add);
      found.viteMetadata?.importedCss.forEach(add);
    };
    for (const [name, found] of Object.entries(bundle)) if (found.type === "chunk" && found.isEntry) add(name);
    const sizes = [...wanted].map((name) => {
      const found = bundle[name];
      return gzipSync(found?.type === "chunk" ? found.code : (found?.source ?? "")).length;
    });
    const sum = sizes.reduce((all, size) => all + size, 0);
    if (sum > MOST_AT_FIRST)
      this.error(`the page loads ${sum} bytes at first, more than ${MOST_AT_FIRST}: ${[...wanted]}`);
  },
});

/** Put the licenses of the fonts, which must be passed on with them, beside those of the scripts. */
export const addFontLicenses = (packages: readonly string[], folder: (path: string) => string): Plugin => ({
  name: "add-font-licenses",
  generateBundle() {
    const texts = packages.map(
      (name) => `## ${name}\n\n${readFileSync(folder(`./node_modules/${name}/LICENSE`), "utf8")}`,
    );
    this.emitFile({
      type: "asset",
      fileName: "font-licenses.md",
      source: `# Licenses of the fonts\n\n${texts.join("\n")}`,
    });
  },
});
