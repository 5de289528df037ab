import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint, referenceBackend } from "@halfbyte/core";
import { folderRepository } from "@halfbyte/core/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { architectures, linearShapes } from "../src/architectures.js";
import type { Bench } from "../src/case.js";
import { wallClock } from "../src/measure/clock.js";
import { cpuPeers } from "../src/peers/cpu-peers.js";
import { copiesOf, type Spec, suiteNames } from "../src/spec.js";
import { writeModel } from "../src/suites/checkpoint.js";
import { prepareArchitecture } from "../src/suites/decode.js";
import { casesOf } from "../src/suites/index.js";

const wish = { backend: "reference", threads: [1], gigabytes: 2 };

describe("casesOf", () => {
  it.each(suiteNames)("%s has cases, each once", (suite) => {
    const cases = casesOf(suite, wish);
    expect(cases.length).toBeGreaterThan(0);
    expect(new Set(cases.map((spec) => JSON.stringify(spec))).size).toBe(cases.length);
  });

  it("takes what the command line asks for", () => {
    const shape = { m: 3, n: 64, k: 128 };
    const asked = {
      ...wish,
      threads: [1, 2],
      formats: ["fp4"],
      dtypes: ["float16"],
      shapes: [shape],
      accuracy: "exact",
    } as const;
    const cases = casesOf("gemm-4bit", asked);
    expect(cases.map(({ threads, format, dtype, accuracy }) => [threads, format, dtype, accuracy])).toEqual([
      [1, "fp4", "float16", "exact"],
      [2, "fp4", "float16", "exact"],
    ]);
    expect(cases[0]!.shape).toEqual(shape);
  });

  it("measures one row of activations warm and cold", () => {
    const cases = casesOf("gemm-4bit", { ...wish, dtypes: ["float32"] });
    const of = (m: number) => cases.filter(({ shape }) => shape.m === m).map(({ temperature }) => temperature);
    expect([of(1), of(128)]).toEqual([["warm", "cold"], ["warm"]]);
  });
});

it("cold means more bytes than caches hold", () => {
  expect(copiesOf(9_437_184, "cold") * 9_437_184).toBeGreaterThanOrEqual(378e6);
  expect(copiesOf(1e12, "cold")).toBe(2);
  expect(copiesOf(1, "warm")).toBe(1);
});

describe("architectures", () => {
  // From the public model cards: all parameters but embeddings and norms.
  it.each([
    ["SmolLM2-135M", 106_168_320],
    ["Qwen2.5-0.5B", 357_826_560],
    ["Llama-3.2-1B", 973_078_528],
    ["Llama-3.1-8B", 6_979_321_856],
  ])("%s has %i weights in its linear layers", (name, count) => {
    const architecture = architectures.find((one) => one.name === name)!;
    expect(linearShapes(architecture).reduce((sum, { n, k }) => sum + n * k, 0)).toBe(count);
  });
});

describe("decode", () => {
  it("runs every layer and frees what it made", async () => {
    const backend = referenceBackend();
    const before = backend.memory().tensors;
    const tiny = { name: "tiny", layers: 2, hidden: 64, inner: 96, queries: 64, keys: 32 };
    const [spec] = casesOf("decode", { ...wish, dtypes: ["float32"] }) as [Spec];
    const shared = { clocks: [wallClock], peerSet: cpuPeers };
    const bench = { backend, threads: 1, floors: "none", rounds: 1, peers: [], ...shared } satisfies Bench;
    const prepared = await prepareArchitecture(tiny, spec, bench);
    expect(prepared.relativeError).toBeLessThan(1e-6);
    expect(prepared.floor.work).toBe(2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96) * (1 / 2 + 4 / 64));
    for (const { subject } of prepared.ours) expect(await subject.sample(2, true)).toHaveLength(2);
    prepared.dispose();
    expect(backend.memory().tensors).toBe(before);
  });
});

describe("checkpoint", () => {
  it("writes a model of the size asked for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "halfbyte-bench-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeModel(folder, 1e6);
    const checkpoint = await openCheckpoint(await folderRepository(folder));
    onTestFinished(() => checkpoint.close());
    expect([...checkpoint.names()].length).toBe(8);
    expect(statSync(join(folder, "model.safetensors")).size).toBeGreaterThan(1e6);
  });
});
