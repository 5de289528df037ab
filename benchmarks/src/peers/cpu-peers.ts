/** The peers of the CPU's backends. */
import { gpuJsCandidate, plainCandidate, tfjsCandidate } from "./dense.js";
import { onnxruntimeCandidate } from "./onnxruntime.js";
import type { PeerSet } from "./peer-set.js";

export const cpuPeers: PeerSet = {
  onnx: onnxruntimeCandidate,
  dense: (product) => [tfjsCandidate(product), gpuJsCandidate(product), plainCandidate(product)],
};
