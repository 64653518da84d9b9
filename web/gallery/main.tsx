/** Shows the page in one state after the other: `make gallery`. It asks no server. */

import { render } from "preact";
import { theme } from "../src/theme";
import { App } from "../src/view/app";
import "../src/style/index.css";
import { showScene } from "./scenes";
import { drawn } from "./states";

const wanted = new URLSearchParams(location.search);
theme.value = wanted.get("theme") === "dark" ? "dark" : "light";
if (wanted.get("scene") === "rtl") document.documentElement.dir = "rtl";
const act = showScene(wanted.get("scene") ?? "endings");
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
await drawn();
await act();
await drawn();
document.documentElement.dataset.ready = "true";
