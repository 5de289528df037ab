import { referenceBackend } from "@halfbyte/core";
import { describe, expect, it, type TestContext } from "vitest";
import { type OnnxOp, onnxLinear } from "../src/onnx/linear.js";
import { groupLayers, openStack } from "../src/onnx/stack.js";
import { activationsOf, productError, rowsOf } from "../src/product.js";
import { denseValues, hostWeight, readFloats, weightsOn } from "../src/weights.js";

const shapes = [
  { m: 1, n: 24, k: 128 },
  { m: 3, n: 40, k: 96 }, // blocks straddle rows
];

async function runtimeOr(ctx: TestContext) {
  try {
    return await import("onnxruntime-node");
  } catch {
    return ctx.skip("onnxruntime-node is not installed");
  }
}

async function weightOf(format: string, { n, k }: { n: number; k: number }) {
  const [tensor] = await weightsOn(referenceBackend(), format, n, k, 1);
  return { tensor: tensor!, weight: await hostWeight(tensor!), dense: await denseValues(tensor!) };
}

/** Relative errors; at level 4 activations become int8. */
const bounds: Readonly<Record<OnnxOp, number>> = {
  MatMulBnb4: 1e-6,
  "MatMulNBits level 0": 1e-6,
  MatMul: 1e-6,
  "MatMulNBits level 4": 2e-2,
  "MatMulNBits 8 bit level 4": 2e-2,
};
const ops = Object.keys(bounds) as OnnxOp[];

describe("models for onnxruntime", () => {
  it.for(ops)("%s multiplies with the weight it was given", async (op, ctx) => {
    const ort = await runtimeOr(ctx);
    for (const shape of shapes) {
      const { weight, dense } = await weightOf("nf4", shape);
      const linear = onnxLinear(op, weight, dense);
      const { values: x } = activationsOf("float32", shape.m * shape.k);
      const stack = await openStack(ort, [linear], { session: {}, m: shape.m, inputs: new Map([[shape.k, x]]) });
      expect(productError(await stack.first(), x, shape, linear.row)).toBeLessThan(bounds[op]);
      await stack.dispose();
    }
  });

  it.for(["nf4", "fp4"])("MatMulBnb4 and gemm4bit agree on the bytes of %s", async (format, ctx) => {
    const ort = await runtimeOr(ctx);
    const shape = shapes[1]!;
    const { tensor, weight, dense } = await weightOf(format, shape);
    const { m, k } = shape;
    const { values: x } = activationsOf("float32", m * k);
    const linear = onnxLinear("MatMulBnb4", weight, dense);
    const stack = await openStack(ort, [linear], { session: {}, m, inputs: new Map([[k, x]]) });
    const input = tensor.backend.tensor("float32", [m, k], x);
    const ours = await readFloats(tensor.backend.kernels.gemm4bit({ x: input, weight: tensor }).out);
    const theirs = await stack.first();
    for (const [i, value] of ours.entries()) expect(theirs[i]).toBeCloseTo(value, 5);
    expect(productError(ours, x, shape, (row) => rowsOf(weight, row, row + 1))).toBeLessThan(1e-6);
    await stack.dispose();
  });

  it("runs layers of several widths and sessions", async (ctx) => {
    const ort = await runtimeOr(ctx);
    const kinds = await Promise.all(shapes.map((shape) => weightOf("nf4", shape)));
    const layers = kinds.map(({ weight, dense }) => onnxLinear("MatMulBnb4", weight, dense));
    const inputs = new Map(shapes.map(({ k }) => [k, activationsOf("float32", k).values]));
    const stack = await openStack(ort, [...layers, ...layers], { session: { intraOpNumThreads: 2 }, m: 1, inputs });
    await stack.run();
    expect((await stack.first()).length).toBe(shapes[0]!.n);
    await stack.dispose();
  });

  it("does not know formats of other tables", async () => {
    const { weight, dense } = await weightOf("af4", shapes[0]!);
    expect(() => onnxLinear("MatMulBnb4", weight, dense)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_KERNEL" }),
    );
  });

  it("starts a new session when one is full", async () => {
    const { weight, dense } = await weightOf("nf4", shapes[0]!);
    const layer = onnxLinear("MatMul", weight, dense);
    const bytes = 4 * weight.n * weight.k;
    expect(groupLayers([layer, layer, layer], 2 * bytes).map((group) => group.length)).toEqual([2, 1]);
    expect(groupLayers([layer, layer], bytes / 2).map((group) => group.length)).toEqual([1, 1]);
  });
});
