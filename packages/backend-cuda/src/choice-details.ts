/** What stands beside every refusal, for programs that read it: what was found, what was asked for, what there is. */
import type { HalfbyteError } from "@halfbyte/core";
import type { Choice } from "./choose.js";
import type { MachineFacts } from "./machine-facts.js";
import { formatVersion } from "./runtime-version.js";

export const choiceDetails = (facts: MachineFacts, choice: Choice): HalfbyteError["details"] => ({
  detected: detected(facts),
  requested: requested(facts, choice),
  available: [...new Set(choice.selection.candidates.map(({ library }) => library))].sort().join(", ") || "none",
});

function detected({ driver, kernelDriver, gpus }: MachineFacts): string {
  const cuda = "major" in driver ? `driver with CUDA ${formatVersion(driver)}` : `no driver (${driver.code})`;
  const seen = gpus?.map(({ name, capability }) => `${name} (${formatVersion(capability)})`).join(", ");
  return [cuda, kernelDriver && `kernel driver ${kernelDriver}`, seen].filter(Boolean).join("; ");
}

function requested({ host }: MachineFacts, { override, prefer }: Choice): string {
  if (override) return `${override.variable}=${override.value}`;
  if (!host || prefer === "driver") return "what the driver covers";
  return `CUDA ${host.major}${host.minor === undefined ? "" : `.${host.minor}`}, as ${host.framework}`;
}
