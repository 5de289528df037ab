/** The public names of @halfbyte/backend-webgpu. */
export type { WebgpuOptions } from "./options.js";
export { webgpu } from "./provider.js";
