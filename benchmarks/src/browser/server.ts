/** A server of this machine only, whose pages are isolated: precise clocks and shared memory need that. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { folderOf } from "../peers/peer.js";

/** Content type and body by path. */
export type Pages = Readonly<Record<string, readonly [type: string, body: string]>>;

export interface Served extends AsyncDisposable {
  readonly origin: string;
}

const isolated = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cache-control": "no-store",
};

export async function serve(pages: Pages): Promise<Served> {
  const server = createServer(({ url = "" }, response) => {
    const [type, body] = pages[url] ?? onnxruntimeFile(url) ?? ["text/plain", undefined];
    response.writeHead(body === undefined ? 404 : 200, { ...isolated, "content-type": type }).end(body);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise<void>((closed) => server.close(() => closed()));
  return { origin: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

/** Its WebAssembly and what loads that. */
function onnxruntimeFile(url: string): readonly [type: string, body: Buffer] | undefined {
  const [, name, extension] = /^\/ort\/([\w.-]+)\.(mjs|wasm)$/.exec(url) ?? [];
  if (name === undefined) return undefined;
  const body = readFileSync(join(folderOf("onnxruntime-web"), "dist", `${name}.${extension}`));
  return [extension === "wasm" ? "application/wasm" : "text/javascript", body];
}
