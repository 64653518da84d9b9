// What a stream has brought so far: the text of each panel, and whether the end was among it.

import type { StreamEvent } from "./events.js";

/** Keeps the books of one stream. Pure. */
export class Tally {
  /**
   * `over`: that was the stream's last event. `perhaps`: it may have been, only the server knows. `open`: more must
   * come.
   */
  state: "open" | "perhaps" | "over";
  #panels: number | null;
  readonly #text = new Map<string, string>();

  /** `panels`: how many were asked; null where that is not known. */
  constructor(panels: number | null, state: "open" | "perhaps" = "open") {
    this.#panels = panels;
    this.state = state;
  }

  get text(): Record<string, string> {
    return Object.fromEntries(this.#text);
  }

  add(event: StreamEvent): void {
    this.state = "open";
    switch (event.event) {
      case "panel_delta":
        this.#text.set(event.panel_id, (this.#text.get(event.panel_id) ?? "") + event.delta);
        break;
      case "panel_final":
      case "panel_error":
        this.#text.set(event.panel_id, event.content);
        // One panel has no summary. Of an unknown number this may be the only one.
        if (this.#panels === 1) this.state = "over";
        else if (this.#panels === null) this.state = "perhaps";
        break;
      case "batch_final":
        this.state = "over";
        break;
      case "stream_snapshot":
        this.#panels = event.panels.length;
        for (const panel of event.panels) this.#text.set(panel.panel_id, panel.content);
        if (event.batch || (this.#panels === 1 && event.panels[0]?.end)) this.state = "over";
    }
  }
}
