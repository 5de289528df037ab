/**
 * The specification of a backend, as a function that a test file calls. It needs vitest and fast-check, and a clone of the
 * repository for the golden vectors. There is no tolerance to pass and nothing to leave out: a backend conforms or fails.
 */
import { type Backend, type BackendProvider, halfbyteError, openBackend, reference } from "@halfbyte/core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { errorCases } from "./cases/errors.js";
import { executionCases } from "./cases/execution.js";
import { goldenCases, productVectorCases } from "./cases/golden.js";
import { int8Cases } from "./cases/int8.js";
import { matmulCases } from "./cases/matmul.js";
import { optimizerCases } from "./cases/optimizers.js";
import { blockErrorCases, quantizationErrorCases } from "./cases/quantization-error.js";
import { blockQuantizeCases, quantizeCases } from "./cases/quantize.js";
import type { Suite } from "./cases/suite.js";
import { thresholdCases } from "./cases/thresholds.js";
import type { VectorFiles } from "./golden/vector-files.js";

export interface DescribeOptions {
  /** Passed to the provider's open(). */
  readonly device?: string;
  /** The tier that must have opened. */
  readonly tier?: string;
  /** `full` runs each property ten times as often. */
  readonly scale?: "small" | "full";
  /** Why this machine cannot open the backend: every test is there and skipped with this reason. */
  readonly unavailable?: string | undefined;
  /** Where the golden vectors are; default: the clone's own folder. A browser has to say. */
  readonly vectors?: VectorFiles;
}

/** Registers the tests of a backend with vitest. */
export function describeBackend(provider: BackendProvider, options: DescribeOptions = {}): void {
  describeCases(provider, options, [
    goldenCases,
    thresholdCases,
    quantizeCases,
    quantizationErrorCases,
    matmulCases,
    int8Cases,
    optimizerCases,
    executionCases,
    errorCases,
  ]);
}

/** The part about quantizing and decoding in blocks: for a backend whose other kernels are still to come. Formats with rows need more. */
export function describeQuantization(provider: BackendProvider, options: DescribeOptions = {}): void {
  describeCases(provider, options, [thresholdCases, blockQuantizeCases, blockErrorCases]);
}

/** The part about 4-bit and dense products: for a backend that has no other kernels and is given quantized weights. */
export function describeProducts(provider: BackendProvider, options: DescribeOptions = {}): void {
  describeCases(provider, options, [productVectorCases, matmulCases]);
}

function describeCases(
  provider: BackendProvider,
  options: DescribeOptions,
  groups: readonly ((suite: Suite) => void)[],
): void {
  const name = [provider.name, options.device, options.tier].filter((part) => part !== undefined).join(" ");
  describe(`backend ${name}`, () => {
    const suite = new OpenSuite(provider, options);
    if (options.unavailable === undefined) {
      beforeAll(() => suite.open());
      afterAll(() => suite.close());
    } else beforeEach(({ skip }) => skip(options.unavailable));
    test("opens as the backend that was asked for", () => suite.expectIdentity());
    for (const cases of groups) cases(suite);
  });
}

class OpenSuite implements Suite {
  #backend: Backend | undefined;
  #oracle: Backend | undefined;

  constructor(
    readonly provider: BackendProvider,
    readonly options: DescribeOptions,
  ) {}

  get backend(): Backend {
    return this.#backend!;
  }

  get oracle(): Backend {
    return this.#oracle!;
  }

  get full(): boolean {
    return this.options.scale === "full";
  }

  /** A fixed seed makes a red run repeatable; `full` starts from another one every time and prints it. */
  runs(count: number): { numRuns: number; seed?: number } {
    return this.full ? { numRuns: 10 * count } : { numRuns: count, seed: 20260819 };
  }

  async vectors(): Promise<VectorFiles> {
    return this.options.vectors ?? (await import("./golden/repository.js")).repositoryVectors();
  }

  async open(): Promise<void> {
    this.#oracle = await openBackend([reference()], { order: ["reference"] });
    this.#backend = await this.openAnother();
  }

  /** The reference stands last in every order: without this check, a provider that does not open would pass as it. */
  async openAnother(): Promise<Backend> {
    const { provider } = this;
    const backend = await openBackend([withDevice(provider, this.options.device)], { order: [provider.name] });
    if (backend.report.chosen === provider.name) return backend;
    const reasons = backend.report.skipped
      .map(({ stage, code, message }) => `${stage}, ${code}: ${message}`)
      .join("\n");
    throw halfbyteError("BACKEND_UNAVAILABLE", `"${provider.name}" did not open (${reasons}).`);
  }

  expectIdentity(): void {
    expect(this.backend.report.chosen).toBe(this.provider.name);
    if (this.options.tier !== undefined) expect(this.backend.tier).toBe(this.options.tier);
  }

  async close(): Promise<void> {
    await this.#backend?.dispose();
    await this.#oracle?.dispose();
  }
}

/** The same provider, opening one device. */
function withDevice(provider: BackendProvider, device: string | undefined): BackendProvider {
  if (device === undefined) return provider;
  return {
    name: provider.name,
    detect: (options) => provider.detect(options),
    open: (options) => provider.open({ ...options, device }),
  };
}
