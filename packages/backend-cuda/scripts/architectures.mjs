/**
 * For which GPUs a library is compiled: machine code for what of our list the toolkit knows, and PTX for the newest generation in it that later
 * ones can start from. Plain Node.
 */

/** One for each generation, which runs on all of it: 8.0's on 8.6 and 8.9. sm_61 beside sm_60: only it has the four-byte dot product. */
const machineCode = ["50", "60", "61", "70", "75", "80", "90", "100", "110", "120"];
const portable = ["90", "120"];

/** @param {string} listed what `nvcc --list-gpu-arch` prints */
export function architecturesOf(listed) {
  const known = new Set([...listed.matchAll(/compute_(\d+)/g)].map(([, number]) => number));
  const ptx = portable.filter((number) => known.has(number)).slice(-1);
  return { sass: machineCode.filter((number) => known.has(number)), ptx };
}

/** Arguments of nvcc. */
export const gencode = ({ sass, ptx }) => [
  ...sass.flatMap((number) => ["-gencode", `arch=compute_${number},code=sm_${number}`]),
  ...ptx.flatMap((number) => ["-gencode", `arch=compute_${number},code=compute_${number}`]),
];

/** "86" is 8.6. @param {string} number */
export const capabilityOf = (number) => `${number.slice(0, -1)}.${number.slice(-1)}`;
