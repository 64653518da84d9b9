import { defineConfig } from "vite";

const here = (path: string): string => decodeURIComponent(new URL(path, import.meta.url).pathname);

export default defineConfig({
  base: "./", // the page may be mounted below another path
  resolve: { alias: { "msgmodel-client": here("../clients/js/src/index.ts") } },
  build: {
    target: "es2022",
    // The server's policy allows neither inline scripts nor data: fonts and styles; every asset is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" }, // of what is in the bundle, to be given along with it
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": "http://127.0.0.1:8000" }, // where `msgmodel serve` listens
    fs: { allow: [".", "../clients/js"] },
  },
});
