/** The gpu.js tier on WebGL2: products and decoding as every backend does them. */
import { describeProducts } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { webgpu } from "../src/index.js";

const provider = webgpu({ tier: "gpujs", gpujs: () => import("gpu.js") });
const options = await inChromium(async () => (await provider.detect()).reason?.message);

describeProducts(provider, { ...options, tier: "gpujs-webgl2" });
