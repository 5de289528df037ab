/** Reads the .tgz that `pnpm pack` writes: plain ustar entries with short names. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const block = 512;

/**
 * @param {string} path
 * @returns {Map<string, Buffer>} contents by path inside the package
 */
export function readTarball(path) {
  const bytes = gunzipSync(readFileSync(path));
  const files = new Map();
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0; ) {
    const size = Number.parseInt(text(bytes, at + 124, 12), 8);
    const isFile = ["0", ""].includes(text(bytes, at + 156, 1));
    if (isFile) files.set(nameAt(bytes, at), bytes.subarray(at + block, at + block + size));
    at += block + Math.ceil(size / block) * block;
  }
  return files;
}

function nameAt(bytes, at) {
  const prefix = text(bytes, at + 345, 155);
  const name = text(bytes, at, 100);
  return (prefix ? `${prefix}/${name}` : name).replace(/^package\//, "");
}

function text(bytes, from, length) {
  return bytes
    .toString("utf8", from, from + length)
    .split("\0")[0]
    .trim();
}
