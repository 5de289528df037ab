/** @halfbyte/conformance: the one test body of every backend. */
export {
  type DescribeOptions,
  describeBackend,
  describeProducts,
  describeQuantization,
} from "./describe-backend.js";
export { accumulation, defaultAccuracy, matmulBound, rounding, tolerance, unitRoundoff } from "./tolerance.js";
export * from "./vectors.js";
