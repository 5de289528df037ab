/** The gpu.js tier in Node, where gpu.js runs its kernels as JavaScript: products and decoding as every backend does them. */
import { describeProducts } from "@halfbyte/conformance";
import { webgpu } from "../src/index.js";

describeProducts(webgpu({ tier: "gpujs" }), { tier: "gpujs-cpu" });
