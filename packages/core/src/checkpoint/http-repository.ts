/** A checkpoint in a folder of a web server. HTTP lists no folders, so the usual file names are asked for. */

import { halfbyteError, isHalfbyteError } from "../errors.js";
import { checkFileName } from "./file-name.js";
import { displayName, fetchWhole, type HttpOptions, openHttp, parseUrl } from "./http-source.js";
import { parseShardIndex, shardIndexName } from "./shard-index.js";
import type { Repository, Source } from "./source.js";

const configName = "config.json";
const singleName = "model.safetensors";

/**
 * `list()` names config.json and either the index with its shards or model.safetensors, as far as they exist; shards
 * are not asked for one by one, a missing one is SHARD_MISSING when it is opened. A query of `base` goes with every file.
 */
export function httpRepository(base: string | URL, options: HttpOptions = {}): Repository {
  return new HttpRepository(parseUrl(base), options);
}

class HttpRepository implements Repository {
  readonly name: string;
  readonly #base: URL;
  readonly #options: HttpOptions;
  #shards: ReadonlySet<string> = new Set();

  constructor(base: URL, options: HttpOptions) {
    this.#base = base;
    if (!this.#base.pathname.endsWith("/")) this.#base.pathname += "/";
    this.name = displayName(this.#base);
    this.#options = options;
  }

  async list(): Promise<readonly string[]> {
    const config = (await this.#find(configName)) === undefined ? [] : [configName];
    const index = await this.#find(shardIndexName);
    if (index !== undefined) return [...config, ...(await this.#readIndex(index))].sort();
    if ((await this.#find(singleName)) !== undefined) return [...config, singleName];
    const message = `${this.name} has neither ${shardIndexName} nor ${singleName}.`;
    throw halfbyteError("INPUT_NOT_FOUND", message, { details: { file: this.name }, remedy: "Check the URL." });
  }

  async open(file: string, signal?: AbortSignal): Promise<Source> {
    checkFileName(file);
    const url = new URL(encodeURIComponent(file), this.#base);
    url.search = this.#base.search;
    try {
      return await (file.endsWith(".json") ? fetchWhole : openHttp)(url, this.#options, signal);
    } catch (error) {
      throw this.#shards.has(file) && isMissing(error) ? shardMissing(file, this.name, error) : error;
    }
  }

  async #readIndex(index: Source): Promise<readonly string[]> {
    const text = new TextDecoder().decode(await index.read(0, index.size));
    this.#shards = new Set(parseShardIndex(text, index.name).values());
    return [shardIndexName, ...this.#shards];
  }

  async #find(file: string): Promise<Source | undefined> {
    try {
      return await this.open(file);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return isHalfbyteError(error) && error.code === "INPUT_NOT_FOUND";
}

function shardMissing(shard: string, repository: string, cause: unknown): Error {
  const message = `${repository} has no file ${JSON.stringify(shard)}, which its index names.`;
  return halfbyteError("SHARD_MISSING", message, { details: { file: shard }, cause });
}
