/**
 * C++ to WebAssembly with nothing but Node: clang and lld are themselves WebAssembly, in the npm package @yowasp/clang. Compiling
 * runs in worker threads, each with a compiler of its own; objects are kept by the hash of all they were made from.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";

/** @typedef {{ source: string, flags: readonly string[], object: string }} Job */

export const sha256 = (/** @type {string | Uint8Array} */ data) => createHash("sha256").update(data).digest("hex");

/** Every header below the folders, by its name: the sources include them without a path. @param {readonly string[]} folders */
export function headersIn(folders) {
  const files = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".h"))
      .map((name) => /** @type {const} */ ([name, readFileSync(join(folder, name), "utf8")])),
  );
  return Object.fromEntries(files);
}

/** The text of a source and of all it includes. @param {string} text @param {Record<string, string>} headers */
function closure(text, headers, seen = new Set()) {
  const names = [...text.matchAll(/^#include "(?:.*\/)?([^"/]+)"/gm)].map(([, name]) => name);
  const parts = names
    .filter((name) => name in headers && !seen.has(name))
    .map((name) => {
      seen.add(name);
      return closure(headers[name], headers, seen);
    });
  return text + parts.join("");
}

/**
 * Where the object of a source lies, compiled or not yet.
 * @param {string} source @param {readonly string[]} flags @param {Record<string, string>} headers @param {string} cache @param {string} compiler
 * @returns {Job}
 */
export function jobOf(source, flags, headers, cache, compiler) {
  const key = sha256([compiler, ...flags, closure(readFileSync(source, "utf8"), headers)].join("\0"));
  return { source, flags, object: join(cache, `${basename(source, ".cpp")}.${key.slice(0, 16)}.o`) };
}

/** Compiles what is not there yet, the longest sources first. @param {readonly Job[]} jobs @param {Record<string, string>} headers */
export async function compileAll(jobs, headers) {
  const queue = [...new Map(jobs.map((job) => [job.object, job])).values()].filter(({ object }) => !existsSync(object));
  queue.sort((a, b) => readFileSync(b.source).length - readFileSync(a.source).length);
  for (const { object } of queue.slice(0, 1)) mkdirSync(join(object, ".."), { recursive: true });
  const threads = Math.min(queue.length, availableParallelism(), 4);
  await Promise.all(Array.from({ length: threads }, () => compileThread(queue, headers)));
  return jobs.map(({ object }) => object);
}

/** One thread, until the queue is empty. @param {Job[]} queue @param {Record<string, string>} headers @returns {Promise<void>} */
function compileThread(queue, headers) {
  const thread = new Worker(fileURLToPath(import.meta.url));
  return new Promise((done, failed) => {
    /** @type {Job | undefined} */
    let current;
    const next = () => {
      current = queue.shift();
      if (current) thread.postMessage({ ...current, headers });
      else thread.terminate().then(() => done());
    };
    thread.on("error", failed).on("message", ({ object, errors }) => {
      if (!object) return failed(new Error(`${current?.source} does not compile:\n${errors}`));
      if (errors) console.error(errors);
      writeFileSync(/** @type {Job} */ (current).object, object);
      next();
    });
    next();
  });
}

/** Runs clang++ on files in memory. @param {readonly string[]} args @param {object} files @param {string} output */
async function clang(args, files, output) {
  const { commands, runLLVM } = await import("@yowasp/clang");
  // Without arguments it only loads itself; said here not to report on that.
  await runLLVM(undefined, {}, { fetchProgress: () => {} });
  let errors = "";
  const decoder = new TextDecoder();
  const collect = (bytes) => (errors += bytes ? decoder.decode(bytes, { stream: true }) : "");
  const options = { stdout: collect, stderr: collect };
  try {
    const made = await commands["clang++"]([...args, "-o", output], files, options);
    return { object: made[output], errors };
  } catch (thrown) {
    return { object: undefined, errors: errors || String(thrown) };
  }
}

/** Links objects. @param {readonly string[]} objects @param {readonly string[]} flags @returns {Promise<Uint8Array>} */
export async function link(objects, flags) {
  const files = Object.fromEntries(objects.map((path) => [basename(path), readFileSync(path)]));
  const { object, errors } = await clang([...Object.keys(files), ...flags], files, "module.wasm");
  if (!object) throw new Error(`The module does not link:\n${errors}`);
  return object;
}

if (!isMainThread) {
  const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
  port.on("message", async ({ source, flags, headers }) => {
    const name = basename(source);
    const files = { ...headers, [name]: readFileSync(source, "utf8") };
    port.postMessage(await clang([...flags, "-I.", "-c", name], files, "object.o"));
  });
}
