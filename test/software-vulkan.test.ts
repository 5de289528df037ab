/** Which Vulkan driver tests use, and that a machine without one is told. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, it } from "vitest";
import { capture, root } from "../scripts/run.mjs";
import { keptDriver, vulkanCache } from "../scripts/software-vulkan.mjs";

const script = join(root, "scripts", "software-vulkan.mjs");

function cacheWith(name: string, icd: unknown): string {
  const cache = join(inject("sharedFolder"), `vulkan-${name}`);
  mkdirSync(cache);
  writeFileSync(join(cache, "icd.json"), JSON.stringify(icd));
  return cache;
}

it("is the one of the cache, as long as its library is there", () => {
  const there = cacheWith("there", { ICD: { library_path: script, api_version: "1.4.305" } });
  expect(keptDriver(there)).toBe(join(there, "icd.json"));
  expect(keptDriver(cacheWith("gone", { ICD: { library_path: "/gone/libvulkan_lvp.so" } }))).toBeUndefined();
  expect(keptDriver(cacheWith("broken", {}))).toBeUndefined();
  expect(keptDriver(join(inject("sharedFolder"), "vulkan-never"))).toBeUndefined();
});

it("is kept below the user's cache, or where HALFBYTE_VULKAN says", () => {
  expect(vulkanCache({ XDG_CACHE_HOME: "/cache" })).toBe(join("/cache", "halfbyte", "vulkan"));
  expect(vulkanCache({ XDG_CACHE_HOME: "/cache", HALFBYTE_VULKAN: "/elsewhere" })).toBe("/elsewhere");
});

it("is not fetched by --check, which fails and says what does", async ({ skip }) => {
  if (process.platform !== "linux") skip("drivers in software are looked for on Linux only");
  const env = { ...process.env, HALFBYTE_VULKAN: join(inject("sharedFolder"), "vulkan-empty") };
  const { code, stdout, stderr } = await capture([script, "--check"], { env });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("pnpm vulkan:software");
});
