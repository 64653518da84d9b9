import { defineConfig, mergeConfig } from "vite";
import pageConfig from "./vite.config.ts";

/** The gallery of all states (gallery/), which is not part of the package: `npx vite build -c vite.gallery.config.ts`. */
export default mergeConfig(pageConfig, defineConfig({ root: "gallery", build: { license: false } }));
