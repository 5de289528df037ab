/**
 * A strict JSON reader. `JSON.parse` keeps the last of two equal keys and nests as deep as the text does; a container
 * header or a config from a stranger must do neither, or two readers of one file see two different files.
 *
 * Objects have no prototype, so `__proto__` and `constructor` are keys like any other. Escapes that make half a
 * surrogate pair are refused: no UTF-8 text can hold what they stand for.
 */

import { type JsonError, type JsonObject, type JsonOptions, type JsonValue, Reader } from "./json-reader.js";

export { insertMember, type MemberSpan, memberSpan, memberSpans, removeMember } from "./json-edit.js";
export type { JsonError, JsonObject, JsonOptions, JsonValue } from "./json-reader.js";

export function parseStrictJson(text: string, options?: JsonOptions): JsonValue {
  return new Reader(text, options).document((reader) => reader.value());
}

/** Visits the members of a top-level object one by one, so that a huge object need not be held as a whole. */
export function forEachMember(
  text: string,
  visit: (key: string, value: JsonValue) => void,
  options?: JsonOptions,
): void {
  const seen = new Set<string>();
  new Reader(text, options).document((reader) =>
    reader.members((key, start) => {
      if (seen.has(key)) throw reader.failure("duplicate", start, key);
      seen.add(key);
      visit(key, reader.value());
    }),
  );
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonError(value: unknown): value is JsonError {
  return value instanceof Error && "kind" in value && (value.kind === "syntax" || value.kind === "duplicate");
}
