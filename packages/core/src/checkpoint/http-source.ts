/** Bytes behind a URL, fetched by HTTP range requests; nothing but the ranges asked for is transferred. */

import { halfbyteError, isHalfbyteError, throwIfAborted } from "../errors.js";
import { bytesSource } from "./memory-source.js";
import { allocate, checkRange, readFailed, readThrew } from "./read-range.js";
import type { Source } from "./source.js";

export interface HttpOptions {
  /** Default: the global `fetch`. */
  readonly fetch?: (url: URL, init: RequestInit) => Promise<Response>;
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends every request of this source. */
  readonly signal?: AbortSignal;
}

/** Asks for the first byte to learn the size. RANGE_NOT_SUPPORTED when the server answers with the whole file. */
export async function httpSource(url: string | URL, options: HttpOptions = {}): Promise<Source> {
  return openHttp(parseUrl(url), options);
}

/** A copy. INVALID_ARGUMENT for no URL, and for one with a password, which `fetch` would refuse and print. */
export function parseUrl(url: string | URL): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && parsed.username === "" && parsed.password === "") return parsed;
  const problem = parsed === undefined ? "is not an absolute URL" : "holds a user name or password";
  throw halfbyteError("INVALID_ARGUMENT", `The address of the file ${problem}.`, {
    remedy: "Pass an absolute URL, and credentials as `headers`.",
  });
}

/** As `httpSource`, with a signal that ends the opening only. */
export async function openHttp(url: URL, options: HttpOptions, signal?: AbortSignal): Promise<Source> {
  const probe = await request(url, options, { offset: 0, length: 1 }, anySignal(signal, options.signal));
  await probe.body?.cancel();
  const name = displayName(url);
  return new HttpSource(url, name, sizeOf(probe, name), versionOf(probe), options);
}

/** A small file, fetched whole: servers that compress or make JSON on the fly answer no ranges for it. */
export async function fetchWhole(url: URL, options: HttpOptions, signal?: AbortSignal): Promise<Source> {
  const either = anySignal(signal, options.signal);
  const response = await request(url, options, undefined, either);
  const name = displayName(url);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const chunk of chunksOf(response)) {
      size += chunk.length;
      if (size > maxWholeBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw readThrew({ name }, { offset: 0, length: maxWholeBytes, found: size }, error, either);
  }
  if (size > maxWholeBytes)
    throw readFailed({ name }, 0, size, maxWholeBytes, "the file is too large to be fetched whole");
  return bytesSource(new Uint8Array(await new Blob(chunks).arrayBuffer()), name);
}

const maxWholeBytes = 100_000_000;

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** One GET with the options' headers: INPUT_NOT_FOUND, READ_FAILED or ABORTED when there is no answer to use. */
async function request(url: URL, options: HttpOptions, range?: Range, signal?: AbortSignal): Promise<Response> {
  const name = displayName(url);
  throwIfAborted(signal, `Fetching ${name}`);
  const headers = { ...options.headers, ...(range === undefined ? {} : { range: rangeHeader(range) }) };
  try {
    const response = await (options.fetch ?? fetch)(url, { headers, ...(signal === undefined ? {} : { signal }) });
    if (response.ok || response.status === 416) return response;
    await response.body?.cancel();
    throw refused(response, name);
  } catch (error) {
    throw isHalfbyteError(error)
      ? error
      : readThrew({ name }, range ?? { offset: 0, length: maxWholeBytes }, error, signal);
  }
}

function rangeHeader({ offset, length }: Range): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

/** Without user, password, query and fragment, which may hold credentials. */
export function displayName(url: URL): string {
  return url.origin === "null" ? `a ${url.protocol} URL` : url.origin + url.pathname;
}

class HttpSource implements Source {
  readonly name: string;
  readonly size: number;
  readonly #url: URL;
  readonly #version: string;
  readonly #options: HttpOptions;

  constructor(url: URL, name: string, size: number, version: string, options: HttpOptions) {
    this.name = name;
    this.size = size;
    this.#url = url;
    this.#version = version;
    this.#options = options;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const either = anySignal(signal, this.#options.signal);
    checkRange(this, offset, length, either);
    if (length === 0) return new Uint8Array(0);
    const response = await request(this.#url, this.#options, { offset, length }, either);
    const problem = this.#problemOf(response, `bytes ${offset}-${offset + length - 1}/${this.size}`);
    if (problem === undefined) return this.#body(response, offset, length, either);
    await response.body?.cancel();
    throw readFailed(this, offset, 0, length, problem);
  }

  async close(): Promise<void> {}

  /**
   * The version is compared here rather than sent as `If-Range`: it finds the same changes, and a browser would have to
   * ask the server of another origin for permission to send that header.
   */
  #problemOf(response: Response, contentRange: string): string | undefined {
    if (response.status !== 206) return `the server answered ${response.status} instead of 206`;
    if (versionOf(response) !== this.#version) return "the file on the server changed since it was opened";
    const found = response.headers.get("content-range");
    return found === contentRange ? undefined : `the server answered with the range ${found ?? "(none)"}`;
  }

  /** Never holds more than `length` bytes, whatever the server sends. */
  async #body(
    response: Response,
    offset: number,
    length: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const bytes = allocate(this, length);
    let filled = 0;
    try {
      for await (const chunk of chunksOf(response)) {
        if (filled + chunk.length <= length) bytes.set(chunk, filled);
        filled += chunk.length;
        if (filled > length) break;
      }
    } catch (error) {
      throw readThrew(this, { offset, length, found: filled }, error, signal);
    }
    if (filled !== length) throw readFailed(this, offset, filled, length, "the answer has another length");
    return bytes;
  }
}

/** `for await` over a stream is not in every browser yet. Leaving the loop early cancels the transfer. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function refused({ status, statusText }: Response, name: string): Error {
  const details = { file: name, found: status };
  if (status === 404 || status === 410) {
    const message = `${name} does not exist: the server answered ${status}.`;
    return halfbyteError("INPUT_NOT_FOUND", message, { details, remedy: "Check the URL." });
  }
  const message = `Fetching ${name} failed: the server answered ${`${status} ${statusText}`.trim()}.`;
  const forbidden = status === 401 || status === 403;
  const remedy = forbidden ? { remedy: "Pass an authorization header in `headers`." } : {};
  return halfbyteError("READ_FAILED", message, { details, ...remedy });
}

/** From `Content-Range`; an empty file has no first byte and is answered with 416. */
function sizeOf(probe: Response, name: string): number {
  const range = probe.headers.get("content-range");
  if (probe.status === 416 && range === "bytes */0") return 0;
  if (probe.status !== 206)
    throw halfbyteError("RANGE_NOT_SUPPORTED", `${name}: the server answered ${probe.status} to a range request.`, {
      details: { file: name, found: probe.status, expected: 206 },
    });
  const size = Number(/^bytes 0-0\/(\d+)$/.exec(range ?? "")?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(size)) return size;
  throw halfbyteError("RANGE_NOT_SUPPORTED", `${name}: the server does not say how large the file is.`, {
    details: { file: name, found: range ?? "no Content-Range", expected: "bytes 0-0/<size>" },
    remedy: "Download the file first; for a page of another origin the server must expose Content-Range.",
  });
}

/** What tells one state of a file from another, as far as the server says it. */
function versionOf(response: Response): string {
  return response.headers.get("etag") ?? response.headers.get("last-modified") ?? "";
}

function anySignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a !== undefined && b !== undefined ? AbortSignal.any([a, b]) : (a ?? b);
}
