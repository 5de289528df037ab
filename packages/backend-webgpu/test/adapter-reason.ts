/** Why this machine or page cannot open the backend; undefined where it can. */
import { webgpu } from "../src/index.js";

export async function adapterReason(): Promise<string | undefined> {
  const { available, reason } = await webgpu().detect();
  if (available) return undefined;
  return `no WebGPU adapter: ${reason?.message} \`pnpm vulkan:software\` fetches Mesa's lavapipe; a GPU driver brings one too.`;
}
