/** A page that asks every peer for a product. */
import { referenceBackend } from "@halfbyte/core";
import { pageModules } from "../src/browser/page-modules.js";
import { openAdapter } from "../src/webgpu/adapter.js";
import { gpuClock } from "../src/webgpu/clocks.js";
import { peerFigures } from "./peer-figures.js";

async function peersOfPage(m: number) {
  const { device } = await openAdapter(navigator.gpu, "page");
  return peerFigures(referenceBackend(), device, gpuClock(device), pageModules({}), m);
}

Object.assign(globalThis, { peersOfPage });
