// A server on loopback that keeps the contract of msgmodel's, except where a test tells it not to.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { StreamEvent } from "../src/index.js";

export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
  /** Resolves when the connection of its answer is closed. */
  closed: Promise<unknown>;
}
/** Takes over an answer; false leaves it to the server. `number` counts the requests, from 0. */
export type Override = (request: Asked, response: ServerResponse, number: number) => unknown;

/** How a connection is cut: FIN inside the body, an end that looks clean, RST. */
export const CUTS = ["fin", "clean", "reset"] as const;
export type Cut = (typeof CUTS)[number];

export class FakeServer {
  readonly asked: Asked[] = [];
  url = "";
  #server: Server;

  constructor(
    readonly events: StreamEvent[],
    override: Override = () => false,
  ) {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const asked: Asked = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        closed: once(response, "close"),
      };
      this.asked.push(asked);
      if ((await override(asked, response, this.asked.length - 1)) === false) this.answer(asked, response);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/panels`;
    return this;
  }

  get posts(): number {
    return this.asked.filter((asked) => asked.method === "POST").length;
  }

  /** As the contract says. */
  answer(asked: Asked, response: ServerResponse): void {
    if (asked.method === "DELETE") return void response.writeHead(204).end();
    const after = position(asked);
    if (asked.method === "GET" && after === this.events.length) return void response.writeHead(204).end();
    begin(response);
    response.end(wire(this.events, after));
  }
}

export async function serve(events: StreamEvent[], override?: Override): Promise<FakeServer> {
  return new FakeServer(events, override).start();
}

/** The number of the last event that the reader has. */
export function position(asked: Asked): number {
  return Number(asked.headers["last-event-id"] ?? 0);
}

export function begin(response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-stream-id": "s1",
    location: "/v1/streams/s1",
  });
  response.flushHeaders();
}

/** The events after a position, as they are on the wire. */
export function wire(events: StreamEvent[], after = 0, hello = ": msgmodel\n\n"): Buffer {
  const frames = events.slice(after).map((event, at) => `id: ${after + at + 1}\ndata: ${JSON.stringify(event)}\n\n`);
  return Buffer.from(hello + frames.join(""));
}

/** Sends some bytes, then ends the connection before the stream is whole. */
export function cutAfter(response: ServerResponse, bytes: Buffer, how: Cut): void {
  begin(response);
  if (how === "clean") return void response.end(bytes);
  const cut = () => (how === "fin" ? response.destroy() : response.socket?.resetAndDestroy());
  if (bytes.length) response.write(bytes, cut);
  else setImmediate(cut);
}

export function refuse(response: ServerResponse, status: number, headers = {}, code = "some_code"): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { code, message: `refused with ${status}` } }));
}
