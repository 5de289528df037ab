/**
 * How many vector registers the worst loop of a source file may move to or from the stack; 0 for a file that is not named. After a change of
 * kernels run `pnpm check:spills`, which says what is beyond, and lower what can be.
 */

const reads =
  "constants of the loop that have no register of their own; they are read from the stack, nothing is written";
const states8 =
  "8-bit states are decoded, stepped and encoded in one loop: its maps, bounds and half-done values are more than the registers";
const addresses =
  "a scalar or address that a broadcast reads from the stack, or a row's temporary; once for a whole vector of results";

const sixteen =
  "two rows of x need 8 sums, 4 registers of weights and the table: of the 16 registers none is left for what is read once a step";
const reordering =
  "preparing x puts a group of its columns into another order by way of a small array; products: sums that are over are scaled and joined";

/** @type {Record<"clang" | "gcc", Record<string, readonly [count: number, reason: string]>>} */
export const spillBudgets = {
  clang: {
    "gemm_4bit_packed.avx2": [8, sixteen],
    "gemm_4bit_packed.avx512": [1, reads],
    "gemm_transposed.avx2": [2, reads],
    "int8.avx512": [2, addresses],
    "int8_scale.avx2": [1, addresses],
    "int8_scale.avx512": [2, addresses],
    "optimizer.avx2": [21, states8],
    "optimizer.avx512": [72, states8],
    "quantize_4bit.avx2": [13, reads],
    "quantize_4bit.avx512": [8, reads],
    "quantize_blockwise.avx2": [3, reads],
    "quantize_blockwise.avx512": [9, reads],
  },
  gcc: {
    "gemm.avx2": [1, addresses],
    "gemm_4bit.avx2": [1, addresses],
    "gemm_4bit_packed.avx2": [32, reordering],
    "gemm_4bit_packed.avx512": [4, reordering],
    "int8.avx2": [1, addresses],
    "int8.avx512": [
      4,
      "g++ 12 keeps some of the sums of the single-row product in memory; clang keeps all of them in registers",
    ],
    "optimizer.avx2": [18, states8],
    "optimizer.avx512": [75, states8],
    "quantize_4bit.avx2": [
      99,
      "g++ 12 reads the bounds from the stack and stores half-done codes there; clang stores none",
    ],
    "quantize_blockwise.avx2": [8, reads],
    "quantize_blockwise.avx512": [7, reads],
  },
};

/**
 * What is beyond its budget, a sentence each.
 * @param {"clang" | "gcc"} compiler
 * @param {string} file such as gemm.avx2
 * @param {Map<string, number>} traffic by function
 */
export function beyondBudget(compiler, file, traffic) {
  const [allowed] = spillBudgets[compiler][file] ?? [0];
  return [...traffic]
    .filter(([, count]) => count > allowed)
    .map(
      ([name, count]) =>
        `${file}: a loop of ${name} has ${count} instructions between vector registers and the stack; ${allowed} allowed`,
    );
}
