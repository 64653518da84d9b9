import { defineConfig, type Plugin } from "vite";
import { addFontLicenses, limitFirstLoad } from "./build-rules.ts";

const here = (path: string): string => decodeURIComponent(new URL(path, import.meta.url).pathname);

/** KaTeX names each font in three formats, for browsers that the page does not run in. */
const onlyWoff2: Plugin = {
  name: "only-woff2",
  enforce: "pre",
  transform: (code, id) =>
    /katex[^/]*\.css$/.test(id) ? code.replace(/,url\([^)]*\) format\("(?:woff|truetype)"\)/g, "") : null,
};

const FONTS = ["@fontsource-variable/hanken-grotesk", "@fontsource-variable/geist-mono"];

export default defineConfig({
  plugins: [onlyWoff2, limitFirstLoad(), addFontLicenses(FONTS, here)],
  base: "./", // relative: the page may be mounted below another path
  resolve: {
    alias: {
      "msgmodel-client/wording": here("../clients/js/src/wording.ts"), // first: an alias also matches what it begins
      "msgmodel-client": here("../clients/js/src/index.ts"),
    },
  },
  build: {
    target: "es2022",
    // The server's policy forbids inline scripts and `data:` URLs, so every asset is its own file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" }, // the licenses of the bundled packages, which must be passed on with them
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": "http://127.0.0.1:8000" }, // the address of `msgmodel serve`
    fs: { allow: [".", "../clients/js"] },
  },
});
