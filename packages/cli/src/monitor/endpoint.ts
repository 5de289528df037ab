/** /metrics over HTTP, and nothing else: it takes no input, and tells the last reading without making a new one. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ErrorCode, halfbyteError, messageOf } from "@halfbyte/core";
import { formatAddress, type ListenAddress } from "./listen-address.js";

export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface Endpoint {
  /** With the port that was taken, when 0 was asked for. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws ADDRESS_IN_USE or LISTEN_FAILED. */
export async function serveMetrics(metrics: Exposition, address: ListenAddress): Promise<Endpoint> {
  const server = createServer((request, response) => void answer(metrics, request, response));
  // A client that says nothing must not hold a connection.
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  await listen(server, address);
  const { port } = server.address() as AddressInfo;
  const url = `http://${formatAddress({ host: address.host, port })}/metrics`;
  return { url, close: () => close(server) };
}

async function answer(metrics: Exposition, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = (status: number, text: string, headers: Readonly<Record<string, string>> = {}) =>
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(text);
  const path = request.url?.split("?", 1)[0];
  if (path !== "/metrics") return void reply(404, "There is /metrics and nothing else.\n");
  if (request.method !== "GET" && request.method !== "HEAD")
    return void reply(405, "GET and HEAD only.\n", { allow: "GET, HEAD" });
  try {
    reply(200, await metrics.text(), { "content-type": metrics.contentType, "cache-control": "no-store" });
  } catch (thrown) {
    reply(500, `${messageOf(thrown)}\n`);
  }
}

function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, { host, port })));
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

const codes: Readonly<Record<string, ErrorCode>> = { EADDRINUSE: "ADDRESS_IN_USE" };

function listenError(cause: NodeJS.ErrnoException, address: ListenAddress): Error {
  const code = codes[cause.code ?? ""] ?? "LISTEN_FAILED";
  const what = code === "ADDRESS_IN_USE" ? "another program listens there" : messageOf(cause);
  return halfbyteError(code, `Cannot listen on ${formatAddress(address)}: ${what}.`, {
    cause,
    details: { address: formatAddress(address) },
  });
}

/** Connections that are kept open for the next scrape end too. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
