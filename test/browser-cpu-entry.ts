/** What browser-cpu.test.ts runs in a page: the same quantization and product on the CPU backend and on the reference kernels. */
import { cpu } from "@halfbyte/backend-cpu";
import { type BackendProvider, openBackend, quantize, reference } from "@halfbyte/core";

const [rows, columns] = [33, 128];

export async function answer() {
  const found = await compute([cpu()]);
  const expected = await compute([reference()]);
  return { ...found, expectedCodes: expected.codes, expectedProduct: expected.product };
}

async function compute(providers: readonly BackendProvider[]) {
  const backend = await openBackend(providers);
  const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 1.7));
  const weight = await quantize(backend.tensor("float32", [rows, columns], values), { format: "nf4" });
  const x = backend.tensor("float32", [2, columns], values.subarray(0, 2 * columns));
  const { out } = backend.kernels.gemm4bit({ x, weight });
  const answer = {
    tier: backend.tier,
    chosen: backend.report.chosen,
    codes: [...(await weight.codes.read())],
    product: [...(await out.read())],
  };
  await backend.dispose();
  return answer;
}
