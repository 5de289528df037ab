/** What the registry is told: versions, sources, candidates, devices, and why CUDA is not available. */
import type { Detection, Source } from "@halfbyte/core";
import type { Choice } from "./choose.js";
import type { Examination, MachineFacts } from "./machine-facts.js";
import type { Override } from "./override.js";
import { formatVersion } from "./runtime-version.js";

export function detectionOf({ facts, sources }: Examination, choice: Choice): Detection {
  const { problem, override, selection } = choice;
  return {
    provider: "cuda",
    available: problem === undefined,
    ...(problem && { reason: problem, irrelevant: isIrrelevant(facts, choice) }),
    versions: versionsOf(facts, choice),
    sources: [...(override ? [overrideSource(override)] : []), ...sources],
    candidates: selection.candidates,
    devices: devicesOf(facts),
  };
}

/** No NVIDIA hardware as far as anything tells, and nobody asks for CUDA: that it is skipped is no news. */
function isIrrelevant({ hardware, driver }: MachineFacts, { override }: Choice): boolean {
  if (override || hardware === true || !("code" in driver)) return false;
  const { code } = driver;
  return (
    code === "CUDA_NO_DRIVER" ||
    code === "CUDA_PLATFORM_UNSUPPORTED" ||
    (code === "CUDA_NO_DEVICE" && hardware === false)
  );
}

function overrideSource({ variable, value, ignored }: Override): Source {
  const also = ignored === undefined ? "" : `; it goes before ${ignored}`;
  return { name: variable, value, usedFor: `the library, whatever else is found${also}`, ms: 0 };
}

function versionsOf(facts: MachineFacts, { selection }: Choice): Detection["versions"] {
  const { driver, kernelDriver, host, containerCuda, toolkits, gpus } = facts;
  const [toolkit] = toolkits.flatMap(({ version }) => version ?? []);
  const hashes = selection.usable.flatMap(({ sha256 }) => sha256 ?? []);
  return {
    ...("major" in driver && { driver: formatVersion(driver) }),
    ...(kernelDriver !== undefined && { kernelDriver }),
    ...(host && { host: host.minor === undefined ? `${host.major}` : `${host.major}.${host.minor}` }),
    ...(toolkit && { toolkit: formatVersion(toolkit) }),
    ...(containerCuda && { container: formatVersion(containerCuda) }),
    // Lets a passed self-test be remembered, which holds for these GPUs alone.
    ...(gpus && hashes.length > 0 && { build: hashes.join("+") }),
  };
}

const devicesOf = ({ gpus = [] }: MachineFacts): Detection["devices"] =>
  gpus.map(({ name, capability, memoryBytes }, number) => ({
    id: `cuda:${number}`,
    name,
    capability: formatVersion(capability),
    software: false,
    ...(memoryBytes !== undefined && { memoryBytes }),
  }));
