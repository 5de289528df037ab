/** Which kind of machine this is: it decides where the driver's libraries are and what to do when they are not. */
import { type Detector, used } from "../detector.js";
import { exists, textOrNone } from "../exists.js";
import type { MachineFacts } from "../machine-facts.js";
import { headOf } from "../plain-text.js";
import type { World } from "../world.js";

export interface SystemFinding {
  readonly kind: MachineFacts["system"]["kind"];
  /** A WSL2 or Jetson system may run in one too. */
  readonly container: boolean;
  /** The release of Jetson Linux, such as R36.3. */
  readonly jetson?: string;
}

export const system: Detector<SystemFinding> = {
  name: "system",
  depth: "quick",
  async find(world) {
    if (world.platform !== "linux") return { kind: "bare metal", container: false };
    const [wsl, jetson, container] = await Promise.all([isWsl(world), jetsonRelease(world), isContainer(world)]);
    const kind = wsl ? "wsl2" : jetson ? "jetson" : container ? "container" : "bare metal";
    return { kind, container, ...(jetson && { jetson }) };
  },
  value: ({ kind, container, jetson }) => {
    const release = jetson === undefined ? "" : ` ${jetson}`;
    return `${kind}${release}${container && kind !== "container" ? " in a container" : ""}`;
  },
  role: () => used("where to look for the driver, and what to advise"),
};

/** A kernel of Microsoft's with the device through which the GPU of Windows is reached. */
async function isWsl(world: World): Promise<boolean> {
  const [device, version] = await Promise.all([exists(world, "/dev/dxg"), textOrNone(world, "/proc/version")]);
  return device || /microsoft-standard-wsl2/i.test(headOf(version ?? ""));
}

async function jetsonRelease(world: World): Promise<string | undefined> {
  const release = await textOrNone(world, "/etc/nv_tegra_release");
  const match = /^# (R\d{1,3}) \(release\), REVISION: (\d{1,3}(?:\.\d{1,3})?)/.exec(headOf(release ?? ""));
  if (match) return `${match[1]}.${match[2]!.replace(/\.0$/, "")}`;
  if (release !== undefined) return "of unknown release";
  const jetpack = world.env["JETSON_JETPACK"];
  return jetpack && /^[\w.-]{1,20}$/.test(jetpack) ? `JetPack ${jetpack}` : undefined;
}

/** Docker and Podman leave a file; Kubernetes, LXC and systemd-nspawn a variable. */
async function isContainer(world: World): Promise<boolean> {
  if (world.env["container"] || world.env["KUBERNETES_SERVICE_HOST"]) return true;
  const marks = await Promise.all(["/.dockerenv", "/run/.containerenv"].map((path) => exists(world, path)));
  return marks.includes(true);
}
