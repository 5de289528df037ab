/**
 * What is different between two moments, causes before consequences: driver, loaded files, GPUs, frameworks, libraries, then what
 * would be chosen. A pure function.
 */
import type { Reason } from "@halfbyte/core";
import { type Compatibility, isChosen } from "./compatibility.js";
import { type ChangeCode, type CompatibilityChange, changeOf } from "./compatibility-change.js";
import { formatVersion, type RuntimeVersion, sameVersion } from "./runtime-version.js";

export function compatibilityChanges(before: Compatibility, after: Compatibility): readonly CompatibilityChange[] {
  return [
    ...driverChanges(before, after),
    ...replacedFiles(before, after),
    ...gpuChanges(before, after),
    ...frameworkChanges(before, after),
    ...libraryChanges(before, after),
    ...selectionChanges(before, after),
  ];
}

const works = (driver: Compatibility["driver"]): driver is RuntimeVersion => "major" in driver;

function driverChanges(before: Compatibility, after: Compatibility): CompatibilityChange[] {
  const [was, is] = [driverText(before), driverText(after)];
  const change = (code: ChangeCode, message: string) => [changeOf(code, "driver", message, { before: was, after: is })];
  if (!works(after.driver)) return driverProblem(before.driver, after.driver, change);
  if (!works(before.driver)) return change("DRIVER_FOUND", `The driver can be used now: ${is}.`);
  const sameKernel = before.kernelDriver === after.kernelDriver;
  if (sameVersion(before.driver, after.driver) && sameKernel) return [];
  return change("DRIVER_CHANGED", `The driver went from ${was} to ${is}.`);
}

function driverProblem(
  before: Compatibility["driver"],
  after: Reason,
  change: (code: ChangeCode, message: string) => CompatibilityChange[],
): CompatibilityChange[] {
  const why = `${after.message} (${after.code})`;
  if (works(before)) return change("DRIVER_LOST", `The driver can no longer be used: ${why}`);
  if (before.code === after.code) return [];
  return change("DRIVER_PROBLEM_CHANGED", `The driver cannot be used, now for another reason: ${why}`);
}

/** CUDA 12.4 (550.54.14), or the code of what is wrong. */
function driverText({ driver, kernelDriver }: Compatibility): string {
  if (!works(driver)) return driver.code;
  return `CUDA ${formatVersion(driver)}${kernelDriver === undefined ? "" : ` (${kernelDriver})`}`;
}

function replacedFiles(before: Compatibility, after: Compatibility): CompatibilityChange[] {
  return after.replacedFiles
    .filter((path) => !before.replacedFiles.includes(path))
    .map((path) =>
      changeOf("LOADED_FILE_REPLACED", path, `${path} was replaced or removed; this process still runs it.`),
    );
}

/** Nothing is said while nobody can tell which GPUs there are. */
function gpuChanges({ gpus: before }: Compatibility, { gpus: after }: Compatibility): CompatibilityChange[] {
  if (!before || !after) return [];
  const name = (gpu: { readonly id: string; readonly name: string }) => `${gpu.name} (${gpu.id})`;
  return compareBy(before, after, ({ id }) => id, {
    added: (gpu) => changeOf("GPU_ADDED", gpu.id, `${name(gpu)} is there now.`),
    removed: (gpu) => changeOf("GPU_GONE", gpu.id, `${name(gpu)} is gone.`),
    both: (was, is) => {
      if (!was.lost && is.lost) return changeOf("GPU_LOST", is.id, `${name(was)}: ${is.lost.message}`);
      if (was.lost && !is.lost) return changeOf("GPU_RECOVERED", is.id, `${name(is)} answers again.`);
      return undefined;
    },
  });
}

type FrameworkState = Compatibility["frameworks"][number];

function frameworkChanges(before: Compatibility, after: Compatibility): CompatibilityChange[] {
  return compareBy(before.frameworks, after.frameworks, ({ name }) => name, {
    added: (it) => changeOf("FRAMEWORK_ADDED", it.name, `${it.name} ${frameworkText(it)} was installed.`),
    removed: (it) => changeOf("FRAMEWORK_REMOVED", it.name, `${it.name} ${frameworkText(it)} was removed.`),
    both: (was, is) => {
      const [old, now] = [frameworkText(was), frameworkText(is)];
      if (old === now) return undefined;
      return changeOf("FRAMEWORK_CHANGED", is.name, `${is.name} went from ${old} to ${now}.`, {
        before: old,
        after: now,
      });
    },
  });
}

function frameworkText({ version, cuda }: FrameworkState): string {
  if (!cuda) return `${version} (CUDA unknown)`;
  return `${version} (CUDA ${cuda.major}${cuda.minor === undefined ? "" : `.${cuda.minor}`})`;
}

function libraryChanges(before: Compatibility, after: Compatibility): CompatibilityChange[] {
  return compareBy(before.libraries, after.libraries, ({ path }) => path, {
    added: ({ library, path }) => changeOf("LIBRARY_ADDED", library, `${library} was installed: ${path}.`),
    removed: ({ library, path }) => changeOf("LIBRARY_REMOVED", library, `${library} is gone: ${path}.`),
    both: (was, is) => {
      const { library, path, refusal } = is;
      const hashes = { before: was.sha256 ?? "unreadable", after: is.sha256 ?? "unreadable" };
      if (refusal && refusal.code !== was.refusal?.code)
        return changeOf(
          "LIBRARY_REFUSED",
          library,
          `${library} must not be loaded any more: ${refusal.message}`,
          hashes,
        );
      if (was.refusal && !refusal)
        return changeOf("LIBRARY_ACCEPTED", library, `${library} may be loaded again: ${path}.`);
      if (was.sha256 === is.sha256) return undefined;
      return changeOf("LIBRARY_REPLACED", library, `${library} was replaced by another file: ${path}.`, hashes);
    },
  });
}

function selectionChanges({ selection: was }: Compatibility, { selection: is }: Compatibility): CompatibilityChange[] {
  const text = (selection: Compatibility["selection"]) => (isChosen(selection) ? selection.library : selection.code);
  const values = { before: text(was), after: text(is) };
  const change = (code: ChangeCode, message: string) => [changeOf(code, "selection", message, values)];
  if (!isChosen(is)) {
    const why = `${is.message} (${is.code})`;
    if (isChosen(was)) return change("SELECTION_LOST", `${was.library} can no longer be used: ${why}`);
    return was.code === is.code ? [] : change("SELECTION_PROBLEM_CHANGED", `No library can be used: ${why}`);
  }
  const because = `${is.library} from ${is.path}: ${is.reason}`;
  if (!isChosen(was)) return change("SELECTION_FOUND", `A library can be used now, ${because}`);
  if (was.path !== is.path) return change("SELECTION_CHANGED", `Instead of ${was.library} the choice is ${because}`);
  if (was.degraded === is.degraded) return [];
  if (is.degraded) return change("SELECTION_DEGRADED", `${is.library} runs degraded now: ${is.reason}`);
  return change("SELECTION_IMPROVED", `${is.library} is no longer degraded: ${is.reason}`);
}

interface Comparison<T> {
  added(item: T): CompatibilityChange;
  removed(item: T): CompatibilityChange;
  both(before: T, after: T): CompatibilityChange | undefined;
}

/** Those that are gone first, then the others in their order. */
function compareBy<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
  { added, removed, both }: Comparison<T>,
): CompatibilityChange[] {
  const old = new Map(before.map((item) => [keyOf(item), item]));
  const kept = new Set(after.map(keyOf));
  const gone = before.filter((item) => !kept.has(keyOf(item))).map(removed);
  const rest = after.map((item) => {
    const was = old.get(keyOf(item));
    return was === undefined ? added(item) : both(was, item);
  });
  return [...gone, ...rest.filter((change) => change !== undefined)];
}
