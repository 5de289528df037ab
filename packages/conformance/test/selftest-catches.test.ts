/**
 * A judge that ignores an output passes everything. So: for every kind of expected output one bit is flipped in a copy of
 * its vector file, and exactly that case must be reported, in exactly that output.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Backend, openBackend, reference } from "@halfbyte/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CheckpointFiles, findVectors, type VectorFile } from "../src/golden/find.js";
import { folderFiles } from "../src/golden/folder.js";
import { goldenFolderAbove } from "../src/golden/repository.js";
import type { CaseRecord } from "../src/golden/side-car.js";
import type { Stored } from "../src/judge/elements.js";
import { runVectors, type Summary } from "../src/vectors.js";
import { bytesOf, type Comparison, flipByteOf, flipped, headerEnd, readTensors, writeTensors } from "./flip.js";

const golden = goldenFolderAbove(dirname(fileURLToPath(import.meta.url)));
const inGolden = (path: string): string => join(golden, path);
const vectors = await findVectors(folderFiles(golden));

/** Upstream's internal layouts and native results: the contract excepts these, and no others, from judgement. */
const neverJudged = ["dequant_native", "packed_cpu", "absmax_bf16_t"];

interface Kind {
  readonly key: string;
  readonly file: VectorFile;
  readonly record: CaseRecord;
  readonly output: string;
}

/** One case for each operation × output × dtype, the steps of an optimizer taken together. */
async function kindsIn(files: readonly VectorFile[]): Promise<Kind[]> {
  const kinds = new Map<string, Kind>();
  for (const file of files) {
    const tensors = await readTensors(inGolden(file.tensors));
    for (const kind of outputsOf(file, tensors)) kinds.set(kind.key, kind);
  }
  return [...kinds.values()];
}

function outputsOf(file: VectorFile, tensors: ReadonlyMap<string, Stored>): Kind[] {
  return file.sideCar.cases.flatMap((record) =>
    Object.entries(record.outputs)
      .filter(([output]) => !neverJudged.includes(output))
      .map(([output, tensor]) => ({ key: keyOf(record, output, tensors.get(tensor)!), file, record, output })),
  );
}

const keyOf = ({ op, params }: CaseRecord, output: string, { dtype }: Stored): string =>
  [op, output.replace(/\d$/, "k"), dtype, params["compress_statistics"] === true ? "nested" : ""].join(" ").trim();

/** quirks/nonfinite: `q` of those is undefined upstream and judged by the refusal alone. */
const kinds = await kindsIn(vectors.files.filter(({ name }) => !name.startsWith("quirks/")));

/** What the contract's table compares within a tolerance; everything else is bits. */
const tolerated: readonly RegExp[] = [
  /^(matmul_4bit|gemv_4bit_cpu_packed) /,
  /^Linear\w+\.forward (out_|ref_)/,
  /^Linear4bit\.forward absmax .*nested$/,
  /^int8_mixed_scaled_mm out /,
  /^(quantize_4bit|quantize_blockwise) offset /,
  /^create_(dynamic|linear|fp8|normal)_map /,
  /^optim\..* (p|absmax\d\.|unorm_vec\.|state\d\.)k (float32|bfloat16)$/,
];

function comparisonOf({ key, record }: Kind): Comparison {
  if (/^optim\..* state\d\.k uint8$/.test(key)) return "steps";
  // 8-bit updates have no norm: the vector holds zero.
  if (/^optim\..*8bit unorm_vec/.test(key)) return "bits";
  if (record.op === "create_dynamic_map" && Object.keys(record.params).length === 1) return "bits";
  return tolerated.some((pattern) => pattern.test(key)) ? "tolerance" : "bits";
}

let backend: Backend;
let folder: string;
beforeAll(async () => {
  backend = await openBackend([reference()], { order: ["reference"] });
  folder = mkdtempSync(join(tmpdir(), "halfbyte-flip-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await backend.dispose();
});

describe("one flipped bit in an expected output is found", () => {
  test.each(kinds.map((kind) => [kind.key, kind] as const))("%s", async (_, kind) => {
    const tensors = await readTensors(inGolden(kind.file.tensors));
    const stored = tensors.get(kind.record.outputs[kind.output]!)!;
    expect((await runVectors(backend, { folder: copyWith(kind, tensors, stored) })).failed).toBe(0);
    const damaged = flipped(stored, comparisonOf(kind));
    expectOnly(await runVectors(backend, { folder: copyWith(kind, tensors, damaged) }), kind);
  });
});

/** A vector folder with the case and a bystander; the output has a tensor of its own, since equal tensors are stored once. */
function copyWith({ file, record, output }: Kind, tensors: ReadonlyMap<string, Stored>, stored: Stored): string {
  const copy = mkdtempSync(join(folder, "case-"));
  const changed = { ...record, outputs: { ...record.outputs, [output]: "the output" } };
  const bystander = file.sideCar.cases.filter(({ id }) => id !== record.id).slice(0, 1);
  writeSideCar(copy, [changed, ...bystander]);
  writeTensors(join(copy, "vectors.safetensors"), new Map([...tensors, ["the output", stored]]));
  return copy;
}

function writeSideCar(at: string, cases: readonly CaseRecord[]): void {
  const sideCar = { golden_format: 1, tensors: "vectors.safetensors", cases };
  writeFileSync(join(at, "vectors.json"), JSON.stringify(sideCar));
}

/** The case failed, in that output, and nothing else did. */
function expectOnly(summary: Summary, { record, output }: Kind): void {
  const failure = summary.operations[record.op]?.firstFailure;
  expect(failure).toMatchObject({ case: `vectors:${record.id}`, output });
  expect(failure?.index).toBeGreaterThanOrEqual(0);
  expect(failure?.bound).toBeDefined();
  expect(summary).toMatchObject({ failed: 1, skipped: 0, passed: summary.cases - 1 });
}

describe("one flipped bit in a checkpoint is found", () => {
  const parts = vectors.checkpoints.flatMap((files) => [
    { files, part: "dequant", comparison: "bits" as const },
    { files, part: "logits_ref_f64", comparison: "tolerance" as const },
  ]);
  test.each(parts)("$files.name: $part", async ({ files, part, comparison }) => {
    const copy = copyCheckpoint(files);
    const tensors = await readTensors(inGolden(files.io));
    const name = [...tensors.keys()].filter((key) => key.startsWith(part)).pop()!;
    writeTensors(
      join(copy, basename(files.io)),
      new Map([...tensors, [name, flipped(tensors.get(name)!, comparison)]]),
    );
    await expectCheckpointFailure(copy, part);
  });
  test.each(vectors.checkpoints)(
    "$name: the first, middle and last byte of the data, and the header",
    async (files) => {
      const bytes = bytesOf(inGolden(files.weights));
      const data = headerEnd(bytes);
      for (const at of [data, Math.floor((data + bytes.length) / 2), bytes.length - 1, data - 8]) {
        const copy = copyCheckpoint(files);
        flipByteOf(join(copy, basename(files.weights)), at);
        await expectCheckpointFailure(copy, at < data ? "file header" : "file ");
      }
    },
  );
  test.each(vectors.checkpoints)("$name: quantization_config", async (files) => {
    const copy = copyCheckpoint(files);
    const path = join(copy, basename(files.config));
    const field = '"llm_int8_has_fp16_weight": ';
    writeFileSync(path, readFileSync(path, "utf8").replace(`${field}false`, `${field}true`));
    await expectCheckpointFailure(copy, "quantization_config");
  });
  test("a missing file", async () => {
    const copy = copyCheckpoint(vectors.checkpoints[0]!);
    rmSync(join(copy, basename(vectors.checkpoints[0]!.io)));
    expect((await runVectors(backend, { folder: copy })).checkpoints).toMatchObject({ cases: 1, failed: 1 });
  });
});

async function expectCheckpointFailure(copy: string, part: string): Promise<void> {
  const { checkpoints, operations, failed } = await runVectors(backend, { folder: copy });
  expect({ checkpoints, failed }).toMatchObject({ checkpoints: { cases: 1, failed: 1 }, failed: 0 });
  expect(operations["checkpoint"]?.firstFailure?.output.startsWith(part)).toBe(true);
}

function copyCheckpoint({ config, weights, io }: CheckpointFiles): string {
  const copy = mkdtempSync(join(folder, "checkpoint-"));
  for (const path of [config, weights, io]) cpSync(inGolden(path), join(copy, basename(path)));
  return copy;
}

describe("what cannot be judged fails", () => {
  const { file, record } = kinds[0]!;
  const [output, tensor] = Object.entries(record.outputs)[0]!;
  const run = async (cases: readonly CaseRecord[]): Promise<Summary> => {
    const copy = mkdtempSync(join(folder, "odd-"));
    writeSideCar(copy, cases);
    cpSync(inGolden(file.tensors), join(copy, "vectors.safetensors"));
    return runVectors(backend, { folder: copy });
  };
  const foundFor = async (changed: Partial<CaseRecord>) =>
    Object.values((await run([{ ...record, ...changed }])).operations)[0]?.firstFailure?.found;

  test("an unknown operation", async () => {
    expect(await foundFor({ op: "quantize_3bit" })).toMatch(/^VECTORS_INVALID: operation quantize_3bit/);
  });
  test("an unknown output", async () => {
    const outputs = { ...record.outputs, checksum: tensor };
    expect(await foundFor({ outputs })).toMatch(/^VECTORS_INVALID: output checksum/);
  });
  test("an output whose tensor is missing", async () => {
    expect(await foundFor({ outputs: { ...record.outputs, [output]: "nobody" } })).toMatch(/^VECTORS_INVALID/);
  });
  test("an input that is missing", async () => {
    expect(await foundFor({ inputs: {} })).toMatch(/^VECTORS_INVALID/);
  });
  test("a parameter that is missing", async () => {
    expect(await foundFor({ params: {} })).toMatch(/^VECTORS_INVALID/);
  });
  test("a file whose tensors cannot be read: every one of its cases", async () => {
    const copy = mkdtempSync(join(folder, "unreadable-"));
    writeSideCar(copy, [record, record]);
    expect(await runVectors(backend, { folder: copy })).toMatchObject({ cases: 2, passed: 0, failed: 2, skipped: 0 });
  });
});
