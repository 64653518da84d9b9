// What a stream has delivered so far: the text of each panel, and whether the last event was among it.

import type { StreamEvent } from "./events.js";

/** Follows the events of one stream. Pure. */
export class StreamProgress {
  /**
   * `open`: more events must come. `over`: the stream's last event has arrived. `perhaps`: the last event may have
   * arrived, and only the server knows.
   */
  state: "open" | "perhaps" | "over";
  #panelCount: number | null;
  readonly #text = new Map<string, string>();

  /** `panelCount`: how many panels were asked; null if that is unknown. */
  constructor(panelCount: number | null, state: "open" | "perhaps" = "open") {
    this.#panelCount = panelCount;
    this.state = state;
  }

  /** The text so far, by panel id. */
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
        // A stream of one panel has no summary. If the number is unknown, this panel may be the only one.
        if (this.#panelCount === 1) this.state = "over";
        else if (this.#panelCount === null) this.state = "perhaps";
        break;
      case "batch_final":
        this.state = "over";
        break;
      case "stream_snapshot":
        this.#panelCount = event.panels.length;
        for (const panel of event.panels) this.#text.set(panel.panel_id, panel.content);
        if (event.batch || (this.#panelCount === 1 && event.panels[0]?.end)) this.state = "over";
    }
  }
}
