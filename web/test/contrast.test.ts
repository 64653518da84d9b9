// The colors of tokens.css against WCAG 2.2 AA in both themes: text needs 4.5:1 on every ground that it stands on;
// edges, rings and borders of fields need 3:1 (https://www.w3.org/TR/WCAG22/#contrast-minimum, #non-text-contrast).

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const FOLDER = new URL("../src/style/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

type Color = readonly [red: number, green: number, blue: number, alpha: number];

/** The tokens that are colors, each in the light and in the dark theme. */
const tokens = new Map(
  [...read("tokens.css").matchAll(/--([\w-]+): light-dark\((#\w+|rgb\([^)]*\)), (#\w+|rgb\([^)]*\))\);/g)].map(
    ([, name, light, dark]) => [String(name), [colorOf(String(light)), colorOf(String(dark))] as const],
  ),
);

function colorOf(text: string): Color {
  const [red = 0, green = 0, blue = 0, percent = 100] = text.startsWith("#")
    ? [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16))
    : (text.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue, percent / 100];
}

function luminance([red, green, blue]: Color): number {
  const [r = 0, g = 0, b = 0] = [red, green, blue]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(one: Color, other: Color): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Return a color with a veil over it. */
function veiled(ground: Color, veil: Color): Color {
  const [red, green, blue, alpha] = veil;
  const mix = (top: number, below: number): number => top * alpha + below * (1 - alpha);
  return [mix(red, ground[0]), mix(green, ground[1]), mix(blue, ground[2]), 1];
}

const GROUNDS = ["page", "side", "surface", "raised", "sunken"];
const SIGNALS = ["fir", "amber", "red", "violet", "blue"];
const cross = (whats: readonly string[], grounds: readonly string[], least: number) =>
  whats.flatMap((what) => grounds.map((ground) => [what, ground, least] as const));

/** What stands on what, and how strong the contrast must be. A ground with "+hover" has that veil over it. */
const PAIRS = [
  ...cross(["text", "text-2", "text-3"], [...GROUNDS, "bubble", ...GROUNDS.map((ground) => `${ground}+hover`)], 4.5),
  ...SIGNALS.flatMap((name) => cross([`${name}-text`, "text"], [...GROUNDS, `${name}-soft`], 4.5)),
  ...cross(["on-fir"], ["fir-fill", "fir-fill-hover"], 4.5),
  ...cross(["code-word", "code-text", "code-number", "code-name", "code-note"], ["sunken"], 4.5),
  ...cross([...SIGNALS, "grey", "control"], GROUNDS, 3),
  ...cross(["text", "text-3"], ["here"], 4.5),
  ...cross(["text"], ["inline", "only", "found", "select"], 4.5),
  ...cross(["on-toast", "toast-do"], ["toast"], 4.5),
  ...cross(["page"], ["text"], 4.5),
  ...cross(["text-2"], ["track"], 4.5),
  ...cross(["on-off"], ["off"], 4.5),
  ...cross(["sweep"], ["page"], 4.5),
];

test.each([0, 1])("every pair is strong enough (theme %i)", (theme) => {
  const color = (name: string): Color => {
    const [base = "", veil] = name.split("+");
    const found = tokens.get(base)?.[theme];
    if (found === undefined) throw new Error(`tokens.css has no color --${base}`);
    return veil ? veiled(found, color(veil)) : found;
  };
  const weak = PAIRS.filter(([what, ground, least]) => ratio(color(what), color(ground)) < least);
  expect(PAIRS.length).toBeGreaterThan(120);
  expect(weak).toEqual([]);
});

test("the measure itself: black on white is 21, and a known weak pair is found", () => {
  expect(ratio([0, 0, 0, 1], [255, 255, 255, 1])).toBeCloseTo(21);
  expect(ratio(colorOf("#aaaaaa"), colorOf("#ffffff"))).toBeLessThan(4.5);
});

test("no other file names a color, and every token that is used exists", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".css") && name !== "tokens.css");
  const named = files.flatMap((name) => {
    const css = read(name)
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/mask(?:-image)?:[^;]*;/g, "");
    return [...css.matchAll(/#[0-9a-f]{3,8}\b|\brgba?\(|\bhsl\(/gi)].map(([found]) => `${name}: ${found}`);
  });
  expect(named).toEqual([]);
  const defined = new Set(
    [...files, "tokens.css"].flatMap((name) => [...read(name).matchAll(/(--[\w-]+):/g)].map(([, it]) => it)),
  );
  const set = new Set(["--n", "--done", "--strip"]); // by a component
  const used = files.flatMap((name) => [...read(name).matchAll(/var\((--[\w-]+)/g)].map(([, it]) => it ?? ""));
  expect([...new Set(used)].filter((name) => !defined.has(name) && !set.has(name))).toEqual([]);
});
