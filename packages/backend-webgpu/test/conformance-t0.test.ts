/**
 * The specification of a backend, with nothing but what every WebGPU device has, and less: workgroup memory is left as the last kernel left it. WGSL has
 * it cleared, kernels say themselves what they start from.
 */
import { describeBackend } from "@halfbyte/conformance";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

const unavailable = await adapterReason();

/** Kept: Dawn crashes when its instance is collected before what was made with it. */
const gpu = unavailable ? undefined : (await import("webgpu")).create(["enable-dawn-features=disable_workgroup_init"]);

describeBackend(webgpu({ tier: "t0", ...(gpu && { gpu }) }), { tier: "t0", unavailable });
