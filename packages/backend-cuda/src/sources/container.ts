/** What a container's variables say: of the image, never of the driver, and whether GPUs were asked for. */
import { type Context, type Detector, ignored, type Role, used } from "../detector.js";
import { oneLine } from "../plain-text.js";
import { parseVersion, type RuntimeVersion } from "../runtime-version.js";

export interface ContainerFinding {
  /** As they are set, cut short. */
  readonly variables: Readonly<Record<string, string>>;
  /** CUDA_VERSION of the image. */
  readonly cuda?: RuntimeVersion;
  /** The driver's libraries were kept out: no GPU was asked for, or not for computing. */
  readonly keptOut?: "no GPU" | "no compute";
}

const names = ["CUDA_VERSION", "NVIDIA_REQUIRE_CUDA", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"] as const;
const longest = 120;

export const container: Detector<ContainerFinding> = {
  name: "container variables",
  depth: "quick",
  async find({ env }) {
    const set = names.flatMap((name) =>
      env[name] === undefined ? [] : [[name, oneLine(env[name], longest)] as const],
    );
    if (set.length === 0) return undefined;
    const variables = Object.fromEntries(set);
    const cuda = parseVersion(variables["CUDA_VERSION"] ?? "");
    const keptOut = keptOutBy(env["NVIDIA_VISIBLE_DEVICES"], env["NVIDIA_DRIVER_CAPABILITIES"]);
    return { variables, ...(cuda && { cuda }), ...(keptOut && { keptOut }) };
  },
  value: ({ variables }) =>
    Object.entries(variables)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  role: roleOf,
};

/** As the container toolkit reads them: `none` still brings the driver's libraries, without a GPU. */
function keptOutBy(visible: string | undefined, capabilities: string | undefined): ContainerFinding["keptOut"] {
  if (visible !== undefined && ["", "void"].includes(visible.trim())) return "no GPU";
  const asked = (capabilities ?? "").split(",").map((each) => each.trim());
  return capabilities && !asked.includes("compute") && !asked.includes("all") ? "no compute" : undefined;
}

function roleOf(found: ContainerFinding | undefined, { found: { libcuda } }: Context): Role {
  if (!found) return ignored("none is set");
  const image = found.variables["CUDA_VERSION"];
  if (found.keptOut && !libcuda) return used("why a container has no driver");
  if (image !== undefined) return ignored(`CUDA_VERSION=${image} describes the image, not the driver`);
  return ignored("they say what was asked for, not what is here");
}
