// @vitest-environment jsdom

import type { PanelPart } from "msgmodel-client";
import { expect, test } from "vitest";
import { plainName, shownPart } from "../src/media";

const part = (more: Partial<PanelPart>): PanelPart => ({
  event: "panel_part",
  panel_id: "p",
  id: "i",
  kind: "image",
  media_type: "image/png",
  size: 3,
  complete: true,
  ...more,
});

test("only known types with their bytes are shown", () => {
  const cases: [Partial<PanelPart>, string, string][] = [
    [{ data: "AAAA" }, "image", "image/png"],
    [{ data: "AAAA", media_type: "image/svg+xml" }, "image", "image/svg+xml"],
    [{ data: "AAAA", media_type: "audio/wav", kind: "audio" }, "sound", "audio/wav"],
    [{ data: "AAAA", media_type: "text/html" }, "file", "application/octet-stream"],
    [{ data: "AAAA", media_type: "constructor" }, "file", "application/octet-stream"],
    [{ url: "data:image/png;base64,AAAA", media_type: null }, "image", "image/png"],
    [{ url: "data:text/html;base64,AAAA", media_type: null }, "file", "application/octet-stream"],
    [{ url: "data:text/html,<script>" }, "kept", "image/png"],
    [{ url: "javascript:alert(1)" }, "kept", "image/png"],
    [{ url: "https://example.org/a.png" }, "link", "image/png"],
    [{ file_id: "file_1" }, "kept", "image/png"],
  ];
  for (const [more, shape, type] of cases) {
    expect([shownPart(part(more), 1).shape, shownPart(part(more), 1).type]).toEqual([shape, type]);
  }
});

test("a name is the last piece of a path, without what hides or reorders", () => {
  expect(shownPart(part({ name: "../..\\a/\u202egpj.exe" }), 1).name).toBe("gpj.exe");
  expect(shownPart(part({ data: "AAAA" }), 2).name).toBe("image-2.png");
  expect(plainName("می\u200cخواهم")).toBe("می\u200cخواهم");
});
