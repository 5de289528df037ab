/** A pass may be remembered, and skips the test; nothing else may. */
import fs, { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type Detection, openBackend } from "../../src/registry.js";
import { cleanProcess } from "./clean-process.js";
import { wrongByte } from "./fake-device.js";
import { deviating, fakeProvider, namedDevice } from "./fake-provider.js";

const { cache } = cleanProcess();
const file = () => join(cache(), "halfbyte", "self-test.json");

const built: Partial<Detection> = { versions: { build: "abc123", driver: "550.54" } };

/** Whether opening a right device skips its self-test. */
async function isRemembered(detection: Partial<Detection> = built, name = "fake", tier = "fake"): Promise<boolean> {
  const open = async () => namedDevice(name, () => ({ tier }));
  const backend = await openBackend([fakeProvider(name, { detection, open })]);
  const { cases, cached } = backend.report.selfTest;
  expect(backend.report.chosen).toBe(name);
  expect(cases > 0).toBe(!cached);
  return cached;
}

describe("a pass", () => {
  test("is remembered", async () => {
    expect(await isRemembered()).toBe(false);
    expect(await isRemembered()).toBe(true);
  });

  test("is not remembered when the provider does not name its build", async () => {
    for (const versions of [{}, { driver: "550.54" }, { build: "" }]) {
      await isRemembered({ versions });
      expect(await isRemembered({ versions })).toBe(false);
    }
    expect(existsSync(file())).toBe(false);
  });

  const devices = (name: string) => [{ id: "0", name, software: false }];
  const others: Readonly<Record<string, Parameters<typeof isRemembered>>> = {
    build: [{ versions: { build: "abc124", driver: "550.54" } }],
    driver: [{ versions: { build: "abc123", driver: "550.55" } }],
    device: [{ ...built, devices: devices("another card") }],
    tier: [built, "fake", "fake+f16"],
    name: [built, "fake:1"],
  };
  for (const [what, other] of Object.entries(others))
    test(`does not count for another ${what}`, async () => {
      await isRemembered();
      expect(await isRemembered(...other)).toBe(false);
      expect(await isRemembered(...other)).toBe(true);
      expect(await isRemembered()).toBe(true);
    });

  test("does not count for another version of halfbyte", async () => {
    await isRemembered();
    vi.resetModules();
    vi.doMock("../../src/version.js", () => ({ version: "99.0.0" }));
    const { openBackend: openLater } = await import("../../src/registry.js");
    vi.doUnmock("../../src/version.js");
    const { report } = await openLater([fakeProvider("fake", { detection: built })]);
    expect(report).toMatchObject({ chosen: "fake", selfTest: { cached: false } });
  });

  test("is never remembered for a test that failed", async () => {
    const wrong = () =>
      deviating(
        "fake",
        wrongByte("gemm", "out", () => 3),
        built,
      );
    for (let i = 0; i < 2; i++) {
      const { report } = await openBackend([wrong()]);
      expect(report.skipped).toMatchObject([{ provider: "fake", code: "SELF_TEST_FAILED" }]);
    }
    expect(existsSync(file())).toBe(false);
  });

  test("skips the test and nothing else: what does not open is not used", async () => {
    await isRemembered();
    const open = () => Promise.reject(new Error("gone"));
    const { report } = await openBackend([fakeProvider("fake", { detection: built, open })]);
    expect(report.chosen).toBe("reference");
  });
});

describe("the file", () => {
  test("is the user's own, and holds no more than it needs", async () => {
    for (let i = 0; i < 80; i++) await isRemembered({ versions: { build: `${i % 70}` } });
    expect(statSync(file()).mode & 0o077).toBe(0);
    expect(statSync(join(cache(), "halfbyte")).mode & 0o077).toBe(0);
    const entries: unknown = JSON.parse(readFileSync(file(), "utf8"));
    expect(entries).toHaveLength(64);
    expect(await isRemembered({ versions: { build: "69" } })).toBe(true);
  });

  for (const text of ["", "[", "null", "{}", '"x"', "[1, null, {}]", "\u0000\u0000"])
    test(`is ignored when it holds ${JSON.stringify(text)}, and written anew`, async () => {
      await isRemembered();
      writeFileSync(file(), text);
      expect(await isRemembered()).toBe(false);
      expect(await isRemembered()).toBe(true);
    });

  test("is ignored when it cannot be read or written", async () => {
    mkdirSync(file(), { recursive: true });
    expect(await isRemembered()).toBe(false);
    expect(await isRemembered()).toBe(false);
  });

  test("is ignored when its folder cannot be made", async () => {
    writeFileSync(join(cache(), "halfbyte"), "a file where the folder should be");
    expect(await isRemembered()).toBe(false);
    expect(await isRemembered()).toBe(false);
  });

  test("is ignored when it belongs to someone else", async () => {
    await isRemembered();
    const stat = fs.statSync;
    const foreign = (...args: Parameters<typeof stat>) => Object.assign(stat(...args)!, { uid: 4242 });
    vi.spyOn(fs, "statSync").mockImplementation(foreign as typeof stat);
    expect(await isRemembered()).toBe(false);
    vi.restoreAllMocks();
  });
});

describe("in a browser", () => {
  /** No Node built-ins; `localStorage` as given. */
  function stubBrowser(localStorage: () => unknown): void {
    const host = process as unknown as { getBuiltinModule(name: string): unknown };
    vi.spyOn(host, "getBuiltinModule").mockReturnValue(undefined);
    vi.stubGlobal("localStorage", undefined);
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get: localStorage });
  }

  test("localStorage keeps it", async () => {
    const items = new Map<string, string>();
    const storage = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
    };
    stubBrowser(() => storage);
    expect(await isRemembered()).toBe(false);
    expect(await isRemembered()).toBe(true);
    expect([...items.keys()]).toEqual(["halfbyte-self-test"]);
    expect(existsSync(file())).toBe(false);
    vi.unstubAllGlobals();
  });

  test("a frame that may not touch localStorage opens its backend all the same", async () => {
    stubBrowser(() => {
      throw new Error("SecurityError");
    });
    expect(await isRemembered()).toBe(false);
    expect(await isRemembered()).toBe(false);
    vi.unstubAllGlobals();
  });

  test("a full localStorage costs nothing but the test", async () => {
    const setItem = () => {
      throw new Error("QuotaExceededError");
    };
    stubBrowser(() => ({ getItem: () => null, setItem }));
    expect(await isRemembered()).toBe(false);
    vi.unstubAllGlobals();
  });
});
