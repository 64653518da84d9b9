import { defineConfig } from "vite";

const here = (path: string): string => decodeURIComponent(new URL(path, import.meta.url).pathname);

export default defineConfig({
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
