/** One constant of one variant's WGSL is wrong, as on a device whose compiler is: it is found, named and not used, and results stay right. */
import { type Backend, createRandom, openBackend, quantize, referenceBackend } from "@halfbyte/core";
import { expect, test, vi } from "vitest";
import { variantsOf, webgpu } from "../src/index.js";
import { skipWithoutAdapter } from "./open.js";

const [rows, columns] = [24, 256];

/** Where the variant has the last of 16 codes, it has the eighth. */
const breakSubgroups = (text: string, kernel: string): string =>
  kernel === "gemm_4bit_narrow" && text.includes("enable subgroups") ? text.replaceAll("15u", "7u") : text;

async function product(backend: Backend): Promise<Float32Array> {
  const { normal } = createRandom(5);
  const values = (count: number) => Float32Array.from({ length: count }, normal);
  using x = backend.tensor("float32", [1, columns], values(columns));
  using dense = referenceBackend().tensor("float32", [rows, columns], values(rows * columns));
  using weight = await (await quantize(dense, { format: "nf4" })).to(backend);
  const explained = backend.explain("gemm4bit", { x, weight });
  if (backend.name === "webgpu")
    expect(explained).toMatchObject({ kernel: "gemv_4bit", variant: expect.not.stringContaining("subgroups") });
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  return (await out.read()) as Float32Array;
}

test("a variant with a wrong constant is demoted and reported, and another one multiplies", async (context) => {
  await skipWithoutAdapter(context);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const options = { operations: ["gemm4bit"], alterShader: breakSubgroups } as const;
  await using backend = await openBackend([webgpu(options)], { order: ["webgpu"] });
  if (!backend.tier.includes("subgroups"))
    context.skip("the adapter has no subgroups: there is one variant of each kernel.");
  // One row and several are the same text, as two kernels.
  const wrong = ["gemv_4bit", "gemm_4bit_narrow"].map((kernel) => ({
    op: "gemm4bit",
    kernel,
    variant: "subgroups",
    code: "SELF_TEST_FAILED",
    message: expect.stringMatching(`${kernel} \\(subgroups\\).* wrong out`),
  }));
  expect(backend.report.selfTest.demoted).toEqual(wrong.map((one) => expect.objectContaining(one)));
  const reported = variantsOf(backend).filter(({ verdict }) => verdict === "demoted");
  expect(reported).toMatchObject(wrong.map(({ code, message, ...one }) => ({ ...one, reason: { code, message } })));
  expect(warn.mock.calls.flat().join("\n")).toMatch(/without gemv_4bit \(subgroups\)/);
  warn.mockRestore();
  const [found, expected] = [await product(backend), await product(referenceBackend())];
  for (const [i, value] of expected.entries()) expect(Math.abs(value - found[i]!)).toBeLessThan(1e-4);
});
