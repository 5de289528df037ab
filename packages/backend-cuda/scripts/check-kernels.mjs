/**
 * What the kernels of a built library must be: no values in memory that belong into registers, and the instructions of kernel-expectations.mjs. And
 * the record of them, kernels.json beside the manifest. Plain Node.
 */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { capabilityOf } from "./architectures.mjs";
import { instructionsIn, kernelOf, resourcesIn } from "./kernel-code.mjs";
import { expectations, instructions } from "./kernel-expectations.mjs";

/** Whose instructions are read: one of each kind of kernel. All of them would take a minute and show the same. */
const looked = ["61", "75", "80", "90"];

/** Without a cuobjdump nobody can look. @param {string} library @returns {string[]} */
export function kernelProblems(library) {
  const resources = resourcesIn(library);
  if (!resources) return [];
  const here = looked.filter((number) => resources.some(({ architecture }) => architecture === number));
  return [
    ...memoryProblems(resources),
    ...here.flatMap((number) => instructionProblems(number, instructionsIn(library, number) ?? [])),
  ];
}

/** @param {readonly import("./kernel-code.d.mts").Resources[]} resources */
export const memoryProblems = (resources) =>
  resources
    .filter(({ stack, local }) => stack > 0 || local > 0)
    .map(
      ({ architecture, symbol, stack, local }) =>
        `${symbol} keeps ${stack + local} bytes in memory on sm_${architecture}`,
    );

/**
 * @param {string} architecture
 * @param {readonly import("./kernel-code.d.mts").Instructions[]} kernels
 * @param {readonly import("./kernel-expectations.d.mts").Expectation[]} [expected]
 */
export const instructionProblems = (architecture, kernels, expected = expectations) =>
  expected
    .filter(({ from = 0 }) => Number.parseInt(architecture, 10) >= from)
    .flatMap((expectation) => unmet(expectation, kernels).map((problem) => `sm_${architecture}: ${problem}`));

function unmet({ kernel, needs, instances }, kernels) {
  const found = kernels.filter(({ symbol }) => kernelOf(symbol) === kernel && (instances?.test(symbol) ?? true));
  if (found.length === 0) return [`there is no kernel ${kernel}${instances ? ` like ${instances}` : ""}`];
  return found
    .filter(({ counts }) => ![...counts.keys()].some((name) => instructions[needs].test(name)))
    .map(({ symbol }) => `${symbol} has no ${needs}`);
}

/**
 * A row per kernel: the range over its instances and architectures.
 * @param {readonly import("./kernel-code.d.mts").Resources[]} resources
 * @returns {import("./check-kernels.d.mts").KernelRow[]}
 */
export function kernelRows(resources) {
  const names = [...new Set(resources.map(({ symbol }) => kernelOf(symbol)))].sort();
  return names.map((kernel) =>
    rowOf(
      kernel,
      resources.filter(({ symbol }) => kernelOf(symbol) === kernel),
    ),
  );
}

function rowOf(kernel, of) {
  const architectures = [...new Set(of.map(({ architecture }) => architecture))];
  const range = (field, some = of) => [
    Math.min(...some.map((one) => one[field])),
    Math.max(...some.map((one) => one[field])),
  ];
  const registers = architectures.map((number) => [
    capabilityOf(number),
    range(
      "registers",
      of.filter(({ architecture }) => architecture === number),
    ),
  ]);
  return {
    kernel,
    instances: new Set(of.map(({ symbol }) => symbol)).size,
    shared: range("shared"),
    registers: Object.fromEntries(registers),
  };
}

const recordOf = (folder) => join(folder, "kernels.json");

/** Writes down what a library holds. Without a cuobjdump: its size. @param {string} library */
export function recordKernels(library) {
  const record = recordOf(dirname(library));
  const known = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : {};
  const mine = { bytes: statSync(library).size, kernels: kernelRows(resourcesIn(library) ?? []) };
  const all = Object.entries({ ...known, [basename(library)]: mine }).sort(([a], [b]) => (a < b ? -1 : 1));
  const written = `${record}.${process.pid}`;
  writeFileSync(written, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
  renameSync(written, record);
}

/** Lines for people. @param {readonly import("./check-kernels.d.mts").KernelRow[]} rows */
export function kernelTable(rows) {
  const width = Math.max(0, ...rows.map(({ kernel }) => kernel.length));
  return rows.map(({ kernel, instances, registers, shared }) => {
    const used = Object.values(registers).flat();
    const taken = `${said([Math.min(...used), Math.max(...used)])} registers`;
    return `  ${kernel.padEnd(width)}  ${String(instances).padStart(3)} instances  ${taken.padStart(17)}  ${said(shared)} B shared`;
  });
}

const said = ([least, most]) => (least === most ? `${least}` : `${least}–${most}`);
