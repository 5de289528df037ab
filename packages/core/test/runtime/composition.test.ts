/** Operations a device lacks, built from others on the same device; and those that cannot be. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend.js";
import { type OpName, type Ops, opNames } from "../../src/kernels.js";
import { quantize } from "../../src/quantize.js";
import { selfTestCases } from "../../src/self-test-cases.js";
import type { Tensor } from "../../src/tensor.js";
import { backendOn, floats } from "./backends.js";
import { thrownBy } from "./failure.js";
import { fakeDevice, lacking, missing } from "./fake-device.js";

const isNested = (args: object): boolean =>
  (args as Partial<Ops["dequantize4bit"]["in"]>).weight?.scales?.kind === "nested";

/** What a device may lack, and what stands in for it. */
const compositions: readonly [OpName, ReturnType<typeof lacking>, string][] = [
  ["gemm4bit", lacking(["gemm4bit"]), "dequantize4bit+gemm"],
  ["int8ScaledMm", lacking(["int8ScaledMm"]), "int8LinearMatmul+int8MmDequant"],
  ["dequantize4bit", lacking(["dequantize4bit"], isNested), "dequantizeBlockwise+dequantize4bit"],
  ["quantizationError", lacking(["quantizationError"], isNested), "dequantizeBlockwise+quantizationError"],
];

const casesOf = (op: OpName) => selfTestCases.filter((one) => one.op === op);

describe("composed", () => {
  for (const [op, lacks, kernel] of compositions)
    test(`${op} gives what its own kernel gives, explain() says ${kernel}, nothing stays allocated`, async () => {
      const [own, composed] = [backendOn(), backendOn(fakeDevice(lacks))];
      const seen: (string | undefined)[] = [];
      for (const { build } of casesOf(op)) {
        seen.push(explained(composed, op, await build(composed)));
        const [expected, found] = await Promise.all([own, composed].map(async (on) => run(on, op, await build(on))));
        expect(closeness(expected!, found!)).toBeLessThan(2 ** -20);
      }
      expect(seen).toContain(kernel);
    });

  test("twice over: gemm4bit from a nested dequantize4bit that is composed itself", async () => {
    const device = fakeDevice((inner) => ({
      select: (op, args) => (op === "gemm4bit" || isNested(args) ? missing(op) : inner.select(op, args)),
    }));
    const [own, composed] = [backendOn(), backendOn(device)];
    const outs = await Promise.all(
      [own, composed].map(async (on) => {
        using x = floats(on, [3, 64], 2);
        using weight = await quantize(floats(on, [5, 64]), { format: "nf4", nested: true });
        const explanation = on.explain("gemm4bit", { x, weight });
        expect(explanation).toMatchObject({ composed: on === composed });
        if (on === composed) expect(explanation).toMatchObject({ variant: "reference+reference+reference" });
        return on.kernels.gemm4bit({ x, weight }).out.read();
      }),
    );
    expect(closeness(outs[0] as Float32Array, outs[1] as Float32Array)).toBeLessThan(2 ** -20);
  });

  test("with bias, transposed, and into a supplied output", async () => {
    const [own, composed] = [backendOn(), backendOn(fakeDevice(lacking(["gemm4bit"])))];
    const outs = await Promise.all(
      [own, composed].map(async (on) => {
        const weight = await quantize(floats(on, [4, 64]), { format: "fp4" });
        const out = on.zeros("float32", [2, 64]);
        const args = { x: floats(on, [2, 4], 2), weight, bias: floats(on, [64], 3), transpose: true };
        expect(on.kernels.gemm4bit(args, { out }).out).toBe(out);
        return out.read();
      }),
    );
    expect(closeness(outs[0]!, outs[1]!)).toBeLessThan(2 ** -20);
  });

  test("what has a kernel is not composed", async () => {
    const backend = backendOn();
    for (const { op, build } of selfTestCases)
      expect(backend.explain(op, (await build(backend)) as never)).toEqual({
        kernel: op,
        variant: "reference",
        composed: false,
      });
  });
});

describe("UNSUPPORTED_KERNEL", () => {
  for (const op of opNames)
    test(`names ${op} when the device has nothing to make it from, and allocates nothing`, async () => {
      const backend = backendOn(fakeDevice(lacking(opNames)));
      const args = (await casesOf(op)[0]!.build(backend)) as never;
      const before = backend.memory();
      const { code, message, details } = thrownBy(() => backend.kernels[op](args));
      expect(code).toBe("UNSUPPORTED_KERNEL");
      expect(message).toContain(op);
      expect(details["found"]).toBe(op);
      expect(backend.explain(op, args)).toMatchObject({ code: "UNSUPPORTED_KERNEL", message: `fake has no ${op}` });
      expect(backend.memory()).toEqual(before);
    });

  test("when one part of a composition is missing", async () => {
    const backend = backendOn(fakeDevice(lacking(["gemm4bit", "gemm"])));
    const args = (await casesOf("gemm4bit")[0]!.build(backend)) as never;
    expect(thrownBy(() => backend.kernels.gemm4bit(args)).code).toBe("UNSUPPORTED_KERNEL");
  });
});

test("explain() allocates and runs nothing, and checks its arguments", async () => {
  const backend = backendOn(fakeDevice(lacking(["gemm4bit"])));
  const args = await casesOf("gemm4bit")[1]!.build(backend);
  const before = backend.memory();
  backend.explain("gemm4bit", args as never);
  expect(backend.memory()).toEqual(before);
  const wrong = { ...args, x: floats(backend, [3, 5]) };
  expect(thrownBy(() => backend.explain("gemm4bit", wrong as never)).code).toBe("SHAPE_MISMATCH");
  const foreign = { ...args, x: floats(backendOn(), [3, 128]), bias: undefined };
  expect(thrownBy(() => backend.explain("gemm4bit", foreign as never)).code).toBe("WRONG_BACKEND");
});

function explained(backend: Backend, op: OpName, args: object): string | undefined {
  const explanation = backend.explain(op, args as never);
  return "composed" in explanation && explanation.composed ? explanation.kernel : undefined;
}

/** Runs an operation with one output; nothing but the output is allocated. */
async function run(backend: Backend, op: OpName, args: object): Promise<ArrayLike<number>> {
  const before = backend.memory().tensors;
  const [out] = Object.values(backend.kernels[op](args as never)) as [Tensor];
  expect(backend.memory().tensors).toBe(before + 1);
  return out.read();
}

/** The largest difference, as a part of the largest value; 16-bit floats as their patterns, which are equal here. */
function closeness(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const values = Array.from(a);
  const largest = Math.max(...values.map(Math.abs));
  return Math.max(...values.map((value, i) => Math.abs(value - b[i]!))) / largest;
}
