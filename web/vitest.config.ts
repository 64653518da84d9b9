import { defineConfig, mergeConfig } from "vitest/config";
import pageConfig from "./vite.config.ts";

export default mergeConfig(
  pageConfig,
  defineConfig({
    test: {
      setupFiles: "./test/setup.ts",
      include: ["test/**/*.test.ts"],
      // Loading jsdom takes longer than the tests, so one thread loads it once. setup.ts separates the files.
      pool: "threads",
      isolate: false,
      fileParallelism: false,
    },
  }),
);
