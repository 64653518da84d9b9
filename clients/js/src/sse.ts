// Bytes to frames, by the rules of the WHATWG for event streams. Pure: no I/O, no clock.

/** One event as it is on the wire. */
export interface Frame {
  /** The last id that the stream has set; "" before the first. */
  id: string;
  /** The event's type, "message" where it has none. */
  type: string;
  data: string;
}

/** Takes the bytes of one connection as they come. What was not ended by an empty line never comes out. */
export class Decoder {
  /** The waiting time that the stream asks for, in ms; null where it doesn't. */
  retry: number | null = null;
  // Takes away a byte order mark, and keeps the bytes of a character that is cut between two chunks.
  readonly #text = new TextDecoder();
  #line = "";
  #afterReturn = false;
  #id = "";
  #type = "";
  #data: string[] = [];

  /** The frames that these bytes complete. */
  feed(bytes: Uint8Array): Frame[] {
    let text = this.#text.decode(bytes, { stream: true });
    if (text === "") return [];
    // CRLF is one line end, also where the chunks are cut inside it.
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");

    const frames: Frame[] = [];
    const lines = text.split(/\r\n|\r|\n/);
    // Only the new text is searched for line ends: a long line in many chunks stays cheap.
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const frame = this.#take(this.#line + line);
      if (frame) frames.push(frame);
      this.#line = "";
    }
    this.#line += rest;
    return frames;
  }

  #take(line: string): Frame | null {
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
    // Without a data line there is no event, though an id that came instead stays.
    const empty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    return empty ? null : frame;
  }
}
