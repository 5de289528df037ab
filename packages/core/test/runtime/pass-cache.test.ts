/** What is noted with a pass comes back with it, and with no other. */
import { expect, test } from "vitest";
import { passCache } from "../../src/pass-cache.js";
import { cleanProcess } from "./clean-process.js";

cleanProcess();

test("a note comes back, and the newest replaces the others", () => {
  const cache = passCache("notes");
  expect(cache.noteOf("key")).toBeUndefined();
  cache.add("key", "first");
  cache.add("key 2", "of another");
  cache.add("key", "second\nwith two lines");
  expect(cache.noteOf("key")).toBe("second\nwith two lines");
  expect(cache.noteOf("key 2")).toBe("of another");
  expect(cache.noteOf("ke")).toBeUndefined();
});

test("a pass without a note has none, and a note is no pass without one", () => {
  const cache = passCache("notes");
  cache.add("plain");
  cache.add("noted", "");
  expect([cache.has("plain"), cache.noteOf("plain")]).toEqual([true, undefined]);
  expect([cache.has("noted"), cache.noteOf("noted")]).toEqual([false, ""]);
});
