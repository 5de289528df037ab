/** Libraries beside which ours is measured, as `--peers` names them. */
export const peerFamilies = ["onnxruntime-node", "onnxruntime-web", "tfjs", "gpu.js", "plain-js"] as const;
export type PeerFamily = (typeof peerFamilies)[number];
