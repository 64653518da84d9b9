import { beforeEach, expect, test } from "vitest";
import { addressees, fileRefusals, toggleAddressee } from "../src/addressees";
import { newPanel } from "../src/model";
import { type Provider, service } from "../src/providers";

const row = (name: string, wire: string) => ({ name, wire, default_model: "m", ready: true }) as Provider;
const file = (name: string, type: string, size = 10) => ({ id: name, name, type, size });
const panels = [newPanel("openai"), newPanel("local"), newPanel("from_elsewhere")];
const [first, second] = panels.map(({ id }) => id);

beforeEach(() => {
  service.value = {
    ...service.value,
    providers: [row("openai", "openai_chat"), row("local", "local")],
    files: { openai_chat: { text: 100, types: { "image/png": 50 } }, local: { text: 100, types: {} } },
  };
});

const words = (...files: ReturnType<typeof file>[]) => fileRefusals(panels, files).map((refusal) => refusal.words);

test("a file that one panel can't take is said with who gets it", () => {
  expect(words(file("a.png", "image/png"))).toEqual(["B can't take a.png. A and C get it."]);
  expect(words(file("a.png", "image/png", 60))).toEqual([
    "A can't take a.png. C gets it.",
    "B can't take a.png. C gets it.",
  ]);
  expect(words(file("a.txt", "text/plain"), file("b.py", ""))).toEqual([]);
  expect(fileRefusals(panels.slice(1, 2), [file("a.png", "image/png")])[0]?.words).toBe("m can't read a.png.");
});

test("who is left out is not asked, and nobody is left out last", () => {
  toggleAddressee(first ?? "");
  expect(addressees(panels).map(({ id }) => id)).not.toContain(first);
  expect(addressees(panels.slice(0, 1))).toHaveLength(1);
  toggleAddressee(second ?? "");
  expect(words(file("a.png", "image/png"))).toEqual([]);
  toggleAddressee(first ?? "");
  expect(addressees(panels).map(({ id }) => id)).toContain(first);
});
