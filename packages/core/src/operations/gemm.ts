/** gemm4bit and gemm: x[.., K] · W[N, K]ᵀ, or x[.., N] · W[N, K] when transposed; the output has x's dtype. */
import { halfbyteError } from "../errors.js";
import { tensorsOf } from "../quantized-tensor.js";
import { lastOf, showShape } from "../shape.js";
import type { Float, Shape, Tensor } from "../tensor.js";
import {
  expectOneOf,
  expectRank,
  expectSize,
  expectTensor,
  type Operation,
  present,
  type TensorSpec,
} from "./operation.js";
import { expectWeight4bit, phantomBlockScales, withBlockScales } from "./quantize.js";

interface Product {
  readonly x: Tensor<Float>;
  readonly bias?: Tensor<Float>;
  readonly transpose?: boolean;
}

/** Checks the shapes of a product and gives its output. */
function productOutput({ x, bias, transpose = false }: Product, weightShape: Shape): TensorSpec {
  expectTensor("x", x);
  expectRank("x", x.shape, 1);
  expectRank("weight", weightShape, 2, 2);
  const [n, k] = weightShape as readonly [number, number];
  const [inner, outer] = transpose ? [n, k] : [k, n];
  if (lastOf(x.shape) !== inner) throw innerMismatch(x.shape, weightShape, inner);
  if (bias) {
    expectTensor("bias", bias);
    expectSize("bias", bias.size, outer);
  }
  return { dtype: x.dtype, shape: [...x.shape.slice(0, -1), outer] };
}

function innerMismatch(x: Shape, weight: Shape, inner: number): Error {
  return halfbyteError(
    "SHAPE_MISMATCH",
    `x has shape ${showShape(x)} and weight ${showShape(weight)}: the last dimension of x must be ${inner}.`,
    {
      details: { tensor: "x", found: lastOf(x), expected: inner },
    },
  );
}

export const gemm: Operation<"gemm"> = {
  plan(args) {
    expectTensor("weight", args.weight);
    const out = productOutput(args, args.weight.shape);
    return { inputs: present([args.x, args.weight, args.bias]), outputs: { out } };
  },
};

export const gemm4bit: Operation<"gemm4bit"> = {
  plan(args) {
    expectWeight4bit(args.weight);
    if (args.accuracy !== undefined) expectOneOf("accuracy", args.accuracy, ["exact", "fast", "turbo"]);
    const out = productOutput(args, args.weight.shape);
    return { inputs: [...present([args.x, args.bias]), ...tensorsOf(args.weight)], outputs: { out } };
  },
  compose: {
    run(kernels, args, out) {
      const { weight, accuracy: _, ...product } = args;
      if (weight.scales.kind === "nested")
        return withBlockScales(kernels, weight, (flat) => kernels.gemm4bit({ ...args, weight: flat }, out));
      // f32, so that the weight is not rounded on the way.
      using dense = kernels.dequantize4bit({ weight, dtype: "float32" }).out;
      kernels.gemm({ ...product, weight: dense }, out);
    },
    steps(args, phantom) {
      const { weight, accuracy: _, ...product } = args;
      if (weight.scales.kind === "nested") {
        const flat = phantomBlockScales(weight, phantom);
        return [
          { op: "dequantizeBlockwise", args: flat.step },
          { op: "gemm4bit", args: { ...args, weight: flat.weight } },
        ];
      }
      return [
        { op: "dequantize4bit", args: { weight, dtype: "float32" } },
        { op: "gemm", args: { ...product, weight: phantom("float32", weight.shape) } },
      ];
    },
  },
};
