/** AbnormalFloat 4 for block size 64 (arXiv 2306.06965): the proof that a format is a record. Codes run from 1 down to −1, as upstream. */
import { tableFormat } from "./format.js";

const ascending = [
  -1, -0.69441008, -0.51243739, -0.3736951, -0.25607552, -0.14982478, -0.04934812, 0, 0.04273164, 0.12934483,
  0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863, 1,
];

export const af4 = {
  ...tableFormat("af4", Float32Array.from(ascending.reverse()), "arXiv 2306.06965; bitsandbytes functional.py"),
  blockSizes: [64],
};
