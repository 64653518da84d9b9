// Bytes to frames, by the WHATWG's rules for event streams. Pure: no I/O, no clock.

/** One event as it is on the wire. */
export interface Frame {
  /** The last id that the stream has set; "" before the first. */
  id: string;
  /** The event's type; "message" if it has none. */
  type: string;
  data: string;
}

/** Decodes the bytes of one connection, in chunks of any size. An event without its final empty line is dropped. */
export class Decoder {
  /** The waiting time in milliseconds that the stream asks for; null if it asks for none. */
  retry: number | null = null;
  // Removes a byte order mark, and keeps the bytes of a character that is cut between two chunks.
  readonly #utf8 = new TextDecoder();
  #unfinishedLine = "";
  #skipLineFeed = false;
  #id = "";
  #type = "";
  #data: string[] = [];

  /** Return the frames that these bytes complete. */
  feed(bytes: Uint8Array): Frame[] {
    let text = this.#utf8.decode(bytes, { stream: true });
    if (text === "") return [];
    // CRLF is one line end, also if a chunk ends between its two characters.
    if (this.#skipLineFeed && text.startsWith("\n")) text = text.slice(1);
    this.#skipLineFeed = text.endsWith("\r");

    const frames: Frame[] = [];
    const lines = text.split(/\r\n|\r|\n/);
    // Only the new text is searched for line ends, so that a long line in many chunks stays cheap.
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = this.#readLine(this.#unfinishedLine + line);
      if (frame) frames.push(frame);
      this.#unfinishedLine = "";
    }
    this.#unfinishedLine += rest;
    return frames;
  }

  #readLine(line: string): Frame | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch(): Frame | null {
    const frame = { id: this.#id, type: this.#type || "message", data: this.#data.join("\n") };
    // Without a data line there is no event, but an id that arrived without data stays.
    const empty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    return empty ? null : frame;
  }
}
