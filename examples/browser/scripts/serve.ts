/** A static server on this machine alone, with the headers that the page is made for. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** No script but ours, no inline script, no request elsewhere. `wasm-unsafe-eval` lets WebAssembly be compiled and nothing else. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface Served {
  readonly url: string;
  readonly close: () => void;
}

export async function serve(folder: string, port = 0): Promise<Served> {
  const server = createServer(async ({ url = "/" }, response) => {
    const file = fileOf(url);
    const body = await readFile(join(folder, file)).catch(() => undefined);
    const type = types[extname(file)] ?? "application/octet-stream";
    const headers = { "content-type": type, "content-security-policy": policy, "cache-control": "no-store" };
    if (body) response.writeHead(200, headers).end(body);
    else response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
  });
  await listening(server, port);
  const { port: chosen } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${chosen}/`, close: () => server.close() };
}

/** Below the folder, whatever the URL says; nothing of ours has a name that must be escaped. */
function fileOf(url: string): string {
  const [path = "/"] = url.split(/[?#]/);
  return normalize(join("/", path === "/" ? "index.html" : path));
}

const listening = (server: Server, port: number): Promise<void> =>
  new Promise((ready, failed) => server.once("error", failed).listen(port, "127.0.0.1", () => ready()));
