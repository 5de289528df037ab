/** Eight recorded machines, for whoever has to say something sensible about each. */
import { bareMetal } from "./bare-metal.js";
import { brokenMix } from "./broken-mix.js";
import { docker } from "./docker.js";
import { frameworkOnly } from "./framework-only.js";
import { jetson } from "./jetson.js";
import { noGpu } from "./no-gpu.js";
import { oldDriver } from "./old-driver.js";
import type { Recording } from "./recorded-world.js";
import { wsl2 } from "./wsl2.js";

export { type Recording, recordedWorld } from "./recorded-world.js";
export { bareMetal, brokenMix, docker, frameworkOnly, jetson, noGpu, oldDriver, wsl2 };

export const recordings: Readonly<Record<string, Recording>> = {
  "bare metal": bareMetal,
  docker,
  WSL2: wsl2,
  Jetson: jetson,
  "no GPU": noGpu,
  "old driver": oldDriver,
  "broken mix": brokenMix,
  "framework only": frameworkOnly,
};
