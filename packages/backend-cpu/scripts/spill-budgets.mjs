/**
 * How many vector registers the worst loop of a source file may move to or from the stack; 0 for a file that is not named. Matrix products
 * must stay at 0 with clang, the compiler of released libraries. After a change of kernels run `pnpm check:spills` and lower what can be.
 */

const constants = "the bounds and codes of the table are more than the registers; they are read from the stack, nothing is written";
const optimizer8 = "two states are encoded side by side: maps, bounds and half-done states are more than the registers";

/** @type {Record<"clang" | "gcc", Record<string, readonly [count: number, reason: string]>>} */
export const spillBudgets = {
  clang: {},
  gcc: {},
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
    .map(([name, count]) => `${file}: a loop of ${name} has ${count} instructions between vector registers and the stack; ${allowed} allowed`);
}
