// A server on loopback that follows the contract of msgmodel's server, except for requests that a test answers itself.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { StreamEvent } from "../src/index.js";
import { EVENTS } from "./support.js";

export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
  /** Resolves when the connection of the answer is closed. */
  closed: Promise<unknown>;
}
/** Answers a request; false leaves it to the server. `number` counts the requests, from 0. */
export type Override = (request: ReceivedRequest, response: ServerResponse, number: number) => unknown;

/** How a connection is cut: FIN inside the body, an end that looks regular, or RST. */
export const CUTS = ["fin", "clean", "reset"] as const;
export type Cut = (typeof CUTS)[number];

export class FakeServer {
  readonly received: ReceivedRequest[] = [];
  url = "";
  #server: Server;

  constructor(
    readonly events: StreamEvent[],
    override: Override = () => false,
  ) {
    this.#server = createServer(async (incoming, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const request: ReceivedRequest = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
        closed: once(response, "close"),
      };
      this.received.push(request);
      if ((await override(request, response, this.received.length - 1)) === false) this.answer(request, response);
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
    return this.received.filter((request) => request.method === "POST").length;
  }

  /** Answer as the contract says. */
  answer(request: ReceivedRequest, response: ServerResponse): void {
    if (request.method === "DELETE") return void response.writeHead(204).end();
    const after = position(request);
    if (request.method === "GET" && after === this.events.length) return void response.writeHead(204).end();
    sendHead(response);
    response.end(wire(this.events, after));
  }
}

export async function serve(events: StreamEvent[], override?: Override): Promise<FakeServer> {
  return new FakeServer(events, override).start();
}

/** Return the number of the last event that the reader has. */
export function position(request: ReceivedRequest): number {
  return Number(request.headers["last-event-id"] ?? 0);
}

export function sendHead(response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-stream-id": "s1",
    location: "/v1/streams/s1",
  });
  response.flushHeaders();
}

/** Return the events after a position, as bytes on the wire. */
export function wire(events: StreamEvent[], after = 0, hello = ": msgmodel\n\n"): Buffer {
  const frames = events.slice(after).map((event, at) => `id: ${after + at + 1}\ndata: ${JSON.stringify(event)}\n\n`);
  return Buffer.from(hello + frames.join(""));
}

/** Send these bytes, then end the connection before the stream is complete. */
export function cutAfter(response: ServerResponse, bytes: Buffer, how: Cut): void {
  sendHead(response);
  if (how === "clean") return void response.end(bytes);
  const cut = () => (how === "fin" ? response.destroy() : response.socket?.resetAndDestroy());
  if (bytes.length) response.write(bytes, cut);
  else setImmediate(cut);
}

/** The first two of the EVENTS, as bytes on the wire. */
export const half = wire(EVENTS.slice(0, 2));

/** Break the question's connection in the middle. */
export const breakQuestion: Override = ({ method }, response) => {
  if (method !== "POST") return false;
  cutAfter(response, half, "fin");
  return true;
};

export function refuse(response: ServerResponse, status: number, headers = {}, code = "some_code"): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { code, message: `refused with ${status}` } }));
}
