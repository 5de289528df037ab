/** Contract §2: which provider is opened, what is kept about the others, and who is told. */
import { describe, expect, test, vi } from "vitest";
import type { Device } from "../../src/device.js";
import { reference } from "../../src/reference/provider.js";
import {
  type BackendProvider,
  type OpenOptions,
  openBackend,
  registerBackend,
  registeredBackends,
} from "../../src/registry.js";
import { cleanProcess } from "./clean-process.js";
import { rejectionOf } from "./failure.js";
import { losableDevice } from "./fake-device.js";
import * as fake from "./fake-provider.js";

const { warnings } = cleanProcess();
const untested = { selfTest: false } as const;

const chosen = async (providers?: readonly BackendProvider[], options: OpenOptions = untested) =>
  (await openBackend(providers, options)).report.chosen;

describe("order", () => {
  const [a, b, c] = [fake.fakeProvider("a"), fake.fakeProvider("b"), fake.fakeProvider("c")];

  test("as given", async () => {
    expect(await chosen([b, a, c])).toBe("b");
  });
  test("`order` wins over HALFBYTE_BACKEND, which wins over what is given", async () => {
    vi.stubEnv("HALFBYTE_BACKEND", " c , b ");
    expect(await chosen([a, b, c])).toBe("c");
    expect(await chosen([a, b, c], { ...untested, order: ["b"] })).toBe("b");
  });
  test("a HALFBYTE_BACKEND that names nothing is like none", async () => {
    vi.stubEnv("HALFBYTE_BACKEND", " , ");
    expect(await chosen([a])).toBe("a");
  });
  test("registered ones: cuda, webgpu, cpu, others, whatever the order of registration", async () => {
    for (const name of ["reference", "npu", "cpu", "cuda", "webgpu"]) registerBackend(fake.fakeProvider(name));
    expect(registeredBackends().map(({ name }) => name)).toEqual(["cuda", "webgpu", "cpu", "npu", "reference"]);
    expect(await chosen()).toBe("cuda");
  });
  test("a second provider of the same name replaces the first", async () => {
    registerBackend(fake.absent("cpu"));
    registerBackend(fake.fakeProvider("cpu"));
    expect(registeredBackends()).toHaveLength(1);
    expect(await chosen()).toBe("cpu");
  });
  test("the reference stands last in every list, and alone in an empty one", async () => {
    expect(await chosen([])).toBe("reference");
    expect(await chosen()).toBe("reference");
    expect(await chosen([fake.absent("a")])).toBe("reference");
    expect(await chosen([a], { ...untested, order: ["reference", "a"] })).toBe("reference");
  });
  test("providers behind the one that opens are not asked", async () => {
    const behind = fake.fakeProvider("behind");
    await chosen([a, behind]);
    expect([behind.detected, behind.opened]).toEqual([0, 0]);
  });
  test("the registry is shared by two copies of the module", async () => {
    registerBackend(a);
    vi.resetModules();
    const copy = await import("../../src/registry.js");
    expect(copy.openBackend).not.toBe(openBackend);
    expect(copy.registeredBackends()).toEqual([a]);
    copy.registerBackend(b);
    expect(registeredBackends()).toEqual([a, b]);
  });
});

interface Failing {
  readonly what: string;
  readonly provider: (name: string) => fake.FakeProvider;
  readonly stage: "detect" | "open" | "self-test";
  readonly code: string;
  readonly message: RegExp;
}

const failing: readonly Failing[] = [
  { what: "absent", provider: fake.absent, stage: "detect", code: "NO_DRIVER", message: /no driver/ },
  {
    what: "absent without a reason",
    provider: fake.absentWithoutReason,
    stage: "detect",
    code: "NOT_AVAILABLE",
    message: /gives no reason/,
  },
  {
    what: "detect throws",
    provider: fake.detectThrows,
    stage: "detect",
    code: "DETECT_FAILED",
    message: /detect broke/,
  },
  {
    what: "detect rejects with a typed error",
    provider: fake.detectRejects,
    stage: "detect",
    code: "READ_FAILED",
    message: /proc/,
  },
  { what: "open throws", provider: fake.openThrows, stage: "open", code: "OPEN_FAILED", message: /open broke/ },
  {
    what: "open rejects with a typed error",
    provider: fake.openRejects,
    stage: "open",
    code: "OUT_OF_MEMORY",
    message: /no memory/,
  },
  {
    what: "software adapter",
    provider: fake.softwareAdapter,
    stage: "detect",
    code: "SOFTWARE_ADAPTER",
    message: /llvmpipe/,
  },
];

describe("fallback", () => {
  for (const { what, provider, stage, code, message } of failing)
    test(`${what} is skipped with ${code}, its message and a remedy`, async () => {
      const backend = await openBackend([provider("broken"), fake.fakeProvider("next")], untested);
      expect(backend.report.chosen).toBe("next");
      const [skipped, ...more] = backend.report.skipped;
      expect(skipped).toMatchObject({ provider: "broken", stage, code, message: expect.stringMatching(message) });
      expect(skipped?.remedy).not.toBe("");
      expect(more).toEqual([]);
    });

  test("a detect that never answers is given up", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const opening = openBackend([fake.detectHangs("hangs")], untested);
    await vi.advanceTimersByTimeAsync(10_000);
    const { report } = await opening;
    expect(report.chosen).toBe("reference");
    expect(report.skipped).toMatchObject([{ provider: "hangs", stage: "detect", code: "DETECT_FAILED" }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a detect that answers leaves no timer behind", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    await openBackend([fake.fakeProvider("quick")], untested);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a slow open is waited for", async () => {
    let answer = (_: Device): void => {};
    const slow = fake.fakeProvider("slow", { open: () => new Promise((resolve) => (answer = resolve)) });
    const opening = openBackend([slow], untested);
    await vi.waitUntil(() => slow.opened === 1);
    answer(fake.namedDevice("slow"));
    expect((await opening).report).toMatchObject({ chosen: "slow", skipped: [] });
  });

  test("a name nobody provides is kept as UNKNOWN_BACKEND", async () => {
    const { report } = await openBackend([fake.fakeProvider("a")], { ...untested, order: ["warp", "a"] });
    expect(report).toMatchObject({ chosen: "a", skipped: [{ provider: "warp", code: "UNKNOWN_BACKEND" }] });
  });

  test("BACKEND_UNAVAILABLE lists every reason", async () => {
    const broken = [fake.absent("a"), fake.openThrows("b"), fake.openRejects("reference")];
    const { code, message } = await rejectionOf(openBackend(broken, untested));
    expect(code).toBe("BACKEND_UNAVAILABLE");
    for (const part of ["a (detect, NO_DRIVER)", "b (open, OPEN_FAILED)", "reference (open, OUT_OF_MEMORY)"])
      expect(message).toContain(part);
  });

  test("a software adapter is used when it is named or allowed", async () => {
    const soft = fake.softwareAdapter("soft");
    expect(await chosen([soft], { ...untested, order: ["soft"] })).toBe("soft");
    expect(await chosen([soft], { ...untested, allowSoftwareGpu: true })).toBe("soft");
    vi.stubEnv("HALFBYTE_BACKEND", "soft");
    expect(await chosen([soft])).toBe("soft");
  });

  test("an adapter beside a software one is enough", async () => {
    const devices = [true, false].map((software, i) => ({ id: `${i}`, name: `adapter ${i}`, software }));
    expect(await chosen([fake.fakeProvider("two", { detection: { devices } })])).toBe("two");
  });

  test("never later: a lost device is not replaced", async () => {
    const { device, lose } = losableDevice();
    const backend = await openBackend([fake.fakeProvider("a", { open: async () => device })], untested);
    lose();
    expect((await rejectionOf(backend.synchronize())).code).toBe("DEVICE_LOST");
    expect(backend.report.chosen).toBe("a");
    expect(backend.name).toBe("fake");
  });
});

describe("warnings", () => {
  test("exactly one for a fallback; it names what was chosen and every reason", async () => {
    await openBackend([fake.absent("a"), fake.openThrows("b"), fake.fakeProvider("c")], untested);
    expect(warnings()).toHaveLength(1);
    for (const part of ['"c"', "NO_DRIVER", "no driver", "Install one.", "OPEN_FAILED", "open broke"])
      expect(warnings()[0]).toContain(part);
  });
  test("the same fallback is told once per process, another one again", async () => {
    for (let i = 0; i < 3; i++) await openBackend([fake.absent("a"), fake.fakeProvider("c")], untested);
    expect(warnings()).toHaveLength(1);
    await openBackend([fake.absent("a"), fake.fakeProvider("d")], untested);
    expect(warnings()).toHaveLength(2);
  });
  test("none when nothing was skipped", async () => {
    await openBackend([fake.fakeProvider("a"), fake.absent("b")], untested);
    await openBackend([reference()]);
    expect(warnings()).toEqual([]);
  });
  test("HALFBYTE_LOG_LEVEL filters them; a level nobody knows is like none", async () => {
    vi.stubEnv("HALFBYTE_LOG_LEVEL", "error");
    await openBackend([fake.absent("a")], untested);
    expect(warnings()).toEqual([]);
    for (const level of ["warn", "info", "debug", "loud"]) {
      vi.stubEnv("HALFBYTE_LOG_LEVEL", level);
      await openBackend([fake.absent(level)], untested);
    }
    expect(warnings()).toHaveLength(4);
  });
  test("BNB_LOG_LEVEL is taken where HALFBYTE_LOG_LEVEL is not set", async () => {
    vi.stubEnv("BNB_LOG_LEVEL", "error");
    await openBackend([fake.absent("a")], untested);
    expect(warnings()).toEqual([]);
    vi.stubEnv("HALFBYTE_LOG_LEVEL", "warn");
    await openBackend([fake.absent("b")], untested);
    expect(warnings()).toHaveLength(1);
  });
});

describe("abort", () => {
  test("before: nobody is asked", async () => {
    const provider = fake.fakeProvider("a");
    const opening = openBackend([provider], { ...untested, signal: AbortSignal.abort() });
    expect((await rejectionOf(opening)).code).toBe("ABORTED");
    expect(provider.detected).toBe(0);
  });
  test("while a detect hangs", async () => {
    const controller = new AbortController();
    const provider = fake.detectHangs("hangs");
    const opening = openBackend([provider], { ...untested, signal: controller.signal });
    controller.abort();
    expect((await rejectionOf(opening)).code).toBe("ABORTED");
    expect(provider.opened).toBe(0);
  });
  test("during a detect that answers all the same: nothing is opened", async () => {
    const controller = new AbortController();
    const detect = async () => {
      controller.abort();
      return fake.detectionOf("a");
    };
    const provider = fake.fakeProvider("a", { detect });
    const opening = openBackend([provider], { ...untested, signal: controller.signal });
    expect((await rejectionOf(opening)).code).toBe("ABORTED");
    expect(provider.opened).toBe(0);
  });
  test("during an open that goes on: the device is closed again", async () => {
    const controller = new AbortController();
    const { device, closed } = losableDevice();
    const open = async () => {
      controller.abort();
      return device;
    };
    const opening = openBackend([fake.fakeProvider("a", { open })], { ...untested, signal: controller.signal });
    expect((await rejectionOf(opening)).code).toBe("ABORTED");
    expect(closed()).toBe(1);
  });
  test("the signal reaches detect and open", async () => {
    const seen: (AbortSignal | undefined)[] = [];
    const { signal } = new AbortController();
    const provider = fake.fakeProvider("a", {
      detect: async (options) => {
        seen.push((options as { signal?: AbortSignal }).signal);
        return fake.detectionOf("a");
      },
      open: async (options) => {
        seen.push((options as { signal?: AbortSignal }).signal);
        return fake.namedDevice("a");
      },
    });
    await openBackend([provider], { ...untested, signal });
    expect(seen).toEqual([signal, signal]);
  });
});

describe("what is no loss", () => {
  const noDriver = { code: "NO_DRIVER", message: "There is no driver.", remedy: "Install one." };
  const nothingHere = fake.fakeProvider("gpu", {
    detection: { available: false, reason: noDriver, irrelevant: true, devices: [] },
  });

  test("is kept in the report, and no news", async () => {
    const { report } = await openBackend([nothingHere, fake.fakeProvider("a")], untested);
    expect(report).toMatchObject({ chosen: "a", skipped: [{ provider: "gpu", code: "NO_DRIVER", irrelevant: true }] });
    expect(warnings()).toEqual([]);
  });
  test("is a loss to who asks for it by name", async () => {
    const { report } = await openBackend([nothingHere, fake.fakeProvider("a")], { ...untested, order: ["gpu", "a"] });
    expect(report.skipped[0]).not.toHaveProperty("irrelevant");
    expect(warnings().join()).toContain("NO_DRIVER");
  });
  test("stays out of a warning about something else", async () => {
    await openBackend([nothingHere, fake.absent("b"), fake.fakeProvider("a")], untested);
    expect(warnings().join()).toContain("b (detect");
    expect(warnings().join()).not.toContain("gpu");
  });
});
