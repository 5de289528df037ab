/** Any backend but the reference is judged under profile `reference`, partly against the oracle: that path must hold too. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { openBackend, opNames } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { goldenFolderAbove } from "../src/golden/repository.js";
import { describeBackend } from "../src/index.js";
import { runVectors } from "../src/vectors.js";
import { renamedReference } from "./renamed-reference.js";

describeBackend(renamedReference(), { tier: "renamed" });

const folder = goldenFolderAbove(dirname(fileURLToPath(import.meta.url)));

/** What fails when the kernel is wrong in one byte; operations of the side-cars, or the checkpoints. */
const noticedBy: Readonly<Record<(typeof opNames)[number], string>> = {
  quantize4bit: "quantize_4bit",
  dequantize4bit: "dequantize_4bit",
  quantizeBlockwise: "quantize_blockwise",
  dequantizeBlockwise: "quantize_blockwise",
  quantizationError: "checkpoint",
  gemm4bit: "matmul_4bit",
  gemm: "Linear8bitLt.forward",
  int8VectorwiseQuant: "int8_vectorwise_quant",
  int8VectorwiseDequant: "checkpoint",
  int8LinearMatmul: "int8_linear_matmul",
  int8MmDequant: "int8_mm_dequant",
  int8ScaledMm: "int8_scaled_mm",
  int8MixedScaledMm: "int8_mixed_scaled_mm",
  optimizerUpdate32bit: "optim.Adam32bit",
  optimizerUpdate8bitBlockwise: "optim.Adam8bit",
};

describe("a kernel that is wrong in one byte fails the vectors", () => {
  test.each(opNames)("%s", async (op) => {
    const backend = await openBackend([renamedReference(op)], { order: ["renamed"], selfTest: false });
    const { name, profile, operations } = { name: backend.name, ...(await runVectors(backend, { folder })) };
    expect({ name, profile }).toEqual({ name: "renamed", profile: "reference" });
    expect(operations[noticedBy[op]]?.failed, noticedBy[op]).toBeGreaterThan(0);
    await backend.dispose();
  });
});
