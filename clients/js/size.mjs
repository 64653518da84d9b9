// Prints how many bytes the client adds to a page: bundled, minified, gzipped. Fails above the limit.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT = 6144;
const built = await build({
  entryPoints: ["src/index.ts"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2023",
  write: false,
});
const bytes = gzipSync(built.outputFiles[0].contents, { level: 9 }).length;
console.log(`${bytes} bytes gzipped (limit: ${LIMIT})`);
process.exitCode = bytes > LIMIT ? 1 : 0;
