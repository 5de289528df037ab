/** The CUDA kernels that exist, on the emulated device: the specification and the golden vectors, bit for bit. */
import { join, resolve } from "node:path";
import { type CaseResult, describeProducts, describeQuantization, runVectors } from "@halfbyte/conformance";
import { describe, expect, it } from "vitest";
import { emulatedCuda, noEmulation, openEmulated } from "./emulated.js";

const golden = resolve(import.meta.dirname, "../../../golden");
const judged = ["quantize_4bit", "dequantize_4bit", "quantize_blockwise"];

if (noEmulation) describe("emulated CUDA", () => it("conforms", ({ skip }) => skip(noEmulation)));
else {
  describeQuantization(emulatedCuda());
  describeProducts(emulatedCuda());

  describe("golden vectors on emulated CUDA", () => {
    it.each(["4bit", "8bit", "optim", "quirks"])("%s", async (folder) => {
      await using backend = await openEmulated();
      const results: CaseResult[] = [];
      await runVectors(backend, { folder: join(golden, folder), onCase: (result) => void results.push(result) });
      const mine = results.filter(({ op }) => judged.includes(op) || op.startsWith("optim."));
      expect(mine.length).toBeGreaterThan(10);
      expect(mine.filter(({ failure }) => failure)).toEqual([]);
    });
  });
}
