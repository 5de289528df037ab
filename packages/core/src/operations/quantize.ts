/** quantize4bit, dequantize4bit, quantizeBlockwise, dequantizeBlockwise. */
import { floatDtypes } from "../dtype.js";
import { halfbyteError } from "../errors.js";
import { blockCount, codeBytes, type Format } from "../formats/format.js";
import { getFormat } from "../formats/index.js";
import type { Kernels } from "../kernels.js";
import { bitsOf, createQuantizedTensor, type QuantizedTensor, tensorsOf } from "../quantized-tensor.js";
import { sizeOf } from "../shape.js";
import {
  expectBlockSize,
  expectNumber,
  expectOneOf,
  expectSize,
  expectTensor,
  nonFiniteRules,
  type Operation,
  type Phantom,
  profiles,
} from "./operation.js";

/** The 4-bit format of this name, with a block size it allows. Throws UNKNOWN_FORMAT, INVALID_ARGUMENT or UNSUPPORTED_BLOCK_SIZE. */
export function blockFormat(name: string, bits: 4 | 8, blockSize: number): Format {
  const format = getFormat(name);
  if (format.bits !== bits || format.scales !== "block")
    throw halfbyteError("INVALID_ARGUMENT", `"${name}" is not a ${bits}-bit block format.`, {
      details: { found: name },
    });
  if (format.blockSizes.includes(blockSize)) return format;
  throw halfbyteError(
    "UNSUPPORTED_BLOCK_SIZE",
    `${name} does not have block size ${String(blockSize)}; it has ${format.blockSizes.join(", ")}.`,
    {
      details: { found: String(blockSize), expected: format.blockSizes.join(", ") },
    },
  );
}

export const quantize4bit: Operation<"quantize4bit"> = {
  plan({ x, format, blockSize, profile = "reference", nonFinite = "error" }) {
    expectTensor("x", x);
    const record = blockFormat(format, 4, blockSize);
    expectOneOf("profile", profile, profiles);
    expectOneOf("nonFinite", nonFinite, nonFiniteRules);
    return {
      inputs: [x],
      outputs: {
        codes: { dtype: "uint8", shape: [codeBytes(record, x.size)] },
        absmax: { dtype: "float32", shape: [blockCount(x.size, blockSize)] },
      },
    };
  },
};

export function expectQuantized(weight: QuantizedTensor): void {
  if (typeof weight !== "object" || weight === null || !weight.scales)
    throw halfbyteError("INVALID_ARGUMENT", "weight is not a quantized tensor.");
}

/** Checks that a 4-bit weight's tensors have the dtypes and sizes its shape asks for. */
export function expectWeight4bit(weight: QuantizedTensor): void {
  expectQuantized(weight);
  if (bitsOf(weight) !== 4)
    throw halfbyteError(
      "INVALID_ARGUMENT",
      `A weight of format ${weight.format} is not 4-bit; dequantize() takes every format.`,
    );
  expectBlocks(weight, 4);
}

/** The same for a weight with a table and blocks. */
export function expectBlocks(weight: QuantizedTensor, bits: 4 | 8): void {
  const size = sizeOf(weight.shape);
  expectBlockSize(weight.blockSize, bits === 4);
  expectTensor("weight.codes", weight.codes, ["uint8"]);
  expectSize("weight.codes", weight.codes.size, codeBytes({ bits }, size));
  if (weight.code) expectTable("weight.code", weight.code, 2 ** bits);
  expectScales(weight, blockCount(size, weight.blockSize));
}

function expectScales({ scales }: QuantizedTensor, blocks: number): void {
  expectOneOf("weight.scales.kind", scales.kind, ["block", "nested"]);
  expectTensor("weight.scales.absmax", scales.absmax, [scales.kind === "nested" ? "uint8" : "float32"]);
  expectSize("weight.scales.absmax", scales.absmax.size, blocks);
  if (scales.kind !== "nested") return;
  expectBlockSize(scales.nestedBlockSize, false);
  expectNumber("weight.scales.offset", scales.offset);
  expectTensor("weight.scales.nestedAbsmax", scales.nestedAbsmax, ["float32"]);
  expectSize("weight.scales.nestedAbsmax", scales.nestedAbsmax.size, blockCount(blocks, scales.nestedBlockSize));
  expectTable("weight.scales.nestedCode", scales.nestedCode, 256);
}

function expectTable(name: string, table: unknown, entries: number): void {
  expectTensor(name, table, ["float32"]);
  expectSize(name, (table as { size: number }).size, entries);
}

export const dequantize4bit: Operation<"dequantize4bit"> = {
  plan({ weight, dtype }) {
    expectWeight4bit(weight);
    expectOneOf("dtype", dtype, floatDtypes);
    return { inputs: tensorsOf(weight), outputs: { out: { dtype, shape: weight.shape } } };
  },
  compose: {
    run(kernels, { weight, dtype }, out) {
      withBlockScales(kernels, weight, (flat) => kernels.dequantize4bit({ weight: flat, dtype }, out));
    },
    steps({ weight, dtype }, phantom) {
      if (weight.scales.kind !== "nested") return [];
      const flat = phantomBlockScales(weight, phantom);
      return [
        { op: "dequantizeBlockwise", args: flat.step },
        { op: "dequantize4bit", args: { weight: flat.weight, dtype } },
      ];
    },
  },
};

/** dequantizeBlockwise arguments that decode nested statistics. */
function denestingArgs(weight: QuantizedTensor) {
  const { scales } = weight;
  if (scales.kind !== "nested") throw halfbyteError("UNSUPPORTED_KERNEL", "The device has no kernel for this weight.");
  const { absmax: codes, nestedAbsmax: absmax, nestedCode: code, nestedBlockSize: blockSize, offset } = scales;
  return { codes, absmax, code, blockSize, offset, dtype: "float32" } as const;
}

const flatWeight = (weight: QuantizedTensor, absmax: unknown): QuantizedTensor =>
  createQuantizedTensor({
    ...weight,
    scales: { kind: "block", absmax: absmax as ReturnType<Kernels["quantize4bit"]>["absmax"] },
  });

/** Runs `use` with the same weight and plain f32 block scales, which are dropped afterwards. */
export function withBlockScales(kernels: Kernels, weight: QuantizedTensor, use: (flat: QuantizedTensor) => void): void {
  using absmax = kernels.dequantizeBlockwise(denestingArgs(weight)).out;
  use(flatWeight(weight, absmax));
}

export function phantomBlockScales(weight: QuantizedTensor, phantom: Phantom) {
  const step = denestingArgs(weight);
  return { step, weight: flatWeight(weight, phantom("float32", step.codes.shape)) };
}

export const quantizeBlockwise: Operation<"quantizeBlockwise"> = {
  plan({ x, code, blockSize, profile = "reference", nonFinite = "error" }) {
    expectTensor("x", x);
    expectTable("code", code, 256);
    expectBlockSize(blockSize, false);
    expectOneOf("profile", profile, profiles);
    expectOneOf("nonFinite", nonFinite, nonFiniteRules);
    return {
      inputs: [x, code],
      outputs: {
        codes: { dtype: "uint8", shape: x.shape },
        absmax: { dtype: "float32", shape: [blockCount(x.size, blockSize)] },
      },
    };
  },
};

export const dequantizeBlockwise: Operation<"dequantizeBlockwise"> = {
  plan({ codes, absmax, code, blockSize, offset = 0, dtype }) {
    expectTensor("codes", codes, ["uint8"]);
    expectTensor("absmax", absmax, ["float32"]);
    expectTable("code", code, 256);
    expectBlockSize(blockSize, false);
    expectNumber("offset", offset);
    expectOneOf("dtype", dtype, floatDtypes);
    expectSize("absmax", absmax.size, blockCount(codes.size, blockSize));
    return { inputs: [codes, absmax, code], outputs: { out: { dtype, shape: codes.shape } } };
  },
};
