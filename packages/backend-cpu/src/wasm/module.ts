/** Getting and compiling a WebAssembly module, in Node as in browsers. */
import { halfbyteError, messageOf } from "@halfbyte/core";

/** A compiled module, its bytes, or where they are: a URL, or one as text. */
export type WasmSource = WebAssembly.Module | BufferSource | URL | string;

export const wasmRemedy =
  "In a clone of the repository run `pnpm build:wasm`. In a web page, serve the .wasm files of @halfbyte/backend-cpu, or pass one to cpu({ wasm }).";

interface Files {
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
}

const builtin = <T>(name: string): T | undefined =>
  (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process?.getBuiltinModule?.(name) as
    | T
    | undefined;

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** A module of a URL is compiled once. */
export function compileModule(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return Promise.resolve(source);
  if (!(source instanceof URL) && typeof source !== "string") return compile("The given bytes", source);
  const url = new URL(source, globalThis.location?.href);
  const known = compiled.get(url.href);
  if (known) return known;
  const made = fetchBytes(url).then((bytes) => compile(url.href, bytes));
  made.catch(() => compiled.delete(url.href));
  compiled.set(url.href, made);
  return made;
}

async function compile(name: string, bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (thrown) {
    throw halfbyteError("LIBRARY_LOAD_FAILED", `${name} cannot be compiled: ${messageOf(thrown)}.`, { cause: thrown });
  }
}

async function fetchBytes(url: URL): Promise<BufferSource> {
  try {
    const files = url.protocol === "file:" ? builtin<Files>("node:fs/promises") : undefined;
    return files ? await files.readFile(url) : await download(url);
  } catch (thrown) {
    const message = `The WebAssembly kernels cannot be read: ${messageOf(thrown)}`;
    throw halfbyteError("LIBRARY_NOT_FOUND", message, { remedy: wasmRemedy, cause: thrown });
  }
}

async function download(url: URL): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: HTTP status ${response.status}.`);
  return response.arrayBuffer();
}
