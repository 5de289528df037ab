/** A laptop without NVIDIA hardware whose application brings frameworks with CUDA: pnpm's layout, one of them not its own. */
import { ldconfig, onnxruntimeFiles, pciFiles, tensorflowFiles } from "./pieces.js";
import type { Recording } from "./recorded-world.js";

const store = "/home/me/app/node_modules/.pnpm";
const onnxruntime = `${store}/onnxruntime-node@1.20.1/node_modules`;
const tensorflow = `${store}/@tensorflow+tfjs-node-gpu@4.22.0_seedrandom@3.0.5/node_modules`;

export const frameworkOnly: Recording = {
  application: "/home/me/app/packages/server",
  files: {
    "/proc/version": "Linux version 6.8.0-40-generic (buildd@lcy02-amd64-078) (gcc-13 13.2.0) #40~22.04.3-Ubuntu SMP\n",
    ...pciFiles({ "0000:00:02.0": { vendor: "0x8086", class: "0x030000" } }),
    "/home/me/app/packages/server/package.json": "{}",
    ...onnxruntimeFiles(onnxruntime),
    ...tensorflowFiles(tensorflow),
  },
  links: {
    "/home/me/app/packages/server/node_modules/@tensorflow/tfjs-node-gpu": `${tensorflow}/@tensorflow/tfjs-node-gpu`,
  },
  env: { PATH: "/usr/bin", HOME: "/home/me" },
  libc: { kind: "glibc", version: "2.39" },
  programs: ldconfig([]),
};
