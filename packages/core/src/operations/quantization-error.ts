/** quantizationError: what it takes and gives, for weights of every format. */
import { blockCount } from "../formats/format.js";
import { errorSums } from "../kernels.js";
import { bitsOf, type QuantizedTensor, tensorsOf } from "../quantized-tensor.js";
import { rowsOf, sizeOf } from "../shape.js";
import { expectRank, expectSize, expectTensor, type Operation } from "./operation.js";
import { expectBlocks, expectQuantized, phantomBlockScales, withBlockScales } from "./quantize.js";

function expectWeight(weight: QuantizedTensor): void {
  expectQuantized(weight);
  if (weight.scales.kind === "row") expectRows(weight);
  else expectBlocks(weight, bitsOf(weight));
}

/** Rows of LLM.int8(). */
function expectRows({ shape, codes, scales }: QuantizedTensor): void {
  expectRank("weight", shape, 2, 2);
  expectTensor("weight.codes", codes, ["int8"]);
  expectSize("weight.codes", codes.size, sizeOf(shape));
  expectTensor("weight.scales.absmax", scales.absmax, ["float32"]);
  expectSize("weight.scales.absmax", scales.absmax.size, rowsOf(shape));
}

export const quantizationError: Operation<"quantizationError"> = {
  plan({ x, weight }) {
    expectWeight(weight);
    expectTensor("x", x);
    expectSize("x", x.size, sizeOf(weight.shape));
    const segments = blockCount(x.size, errorSums.segment);
    return {
      inputs: [x, ...tensorsOf(weight)],
      outputs: { sums: { dtype: "float32", shape: [segments, errorSums.columns.length] } },
    };
  },
  compose: {
    run(kernels, { x, weight }, out) {
      withBlockScales(kernels, weight, (flat) => kernels.quantizationError({ x, weight: flat }, out));
    },
    steps({ x, weight }, phantom) {
      if (weight.scales.kind !== "nested") return [];
      const flat = phantomBlockScales(weight, phantom);
      return [
        { op: "dequantizeBlockwise", args: flat.step },
        { op: "quantizationError", args: { x, weight: flat.weight } },
      ];
    },
  },
};
