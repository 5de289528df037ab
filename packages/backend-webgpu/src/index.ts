/** The public names of @halfbyte/backend-webgpu. */
export type { WebgpuOptions } from "./options.js";
export type { AlterShader } from "./pipelines.js";
export {
  type Plan,
  type PlannedBytes,
  type PlannedTensor,
  type PlanOptions,
  plan,
  type TensorToPlan,
  type WeightToPlan,
} from "./plan.js";
export { webgpu } from "./provider.js";
export type { FeatureTier } from "./traits.js";
export type { VariantReport, Verdict } from "./variants.js";
export { timeOnDevice, variantsOf } from "./variants-of.js";
