/**
 * What cuobjdump tells of the kernels in a library: registers and memory of each, and the instructions it is made of. Every cuobjdump reads the
 * resources of every architecture; the instructions only of those it knows. Plain Node.
 */
import { spawnSync } from "node:child_process";
import { findCuobjdump } from "./toolkits.mjs";

/** @typedef {import("./kernel-code.d.mts").Resources} Resources */
/** @typedef {import("./kernel-code.d.mts").Instructions} Instructions */

/** Undefined without a cuobjdump. @param {string} library @returns {Resources[] | undefined} */
export function resourcesIn(library) {
  const cuobjdump = findCuobjdump();
  return cuobjdump && parseResources(run(cuobjdump, ["-res-usage", library]));
}

/** Undefined where this cuobjdump cannot read them. @param {string} library @param {string} architecture "80" @returns {Instructions[] | undefined} */
export function instructionsIn(library, architecture) {
  const cuobjdump = findCuobjdump();
  if (!cuobjdump || !known(cuobjdump).has(architecture)) return undefined;
  return parseInstructions(run(cuobjdump, ["-sass", "-arch", `sm_${architecture}`, library]));
}

const known = (cuobjdump) =>
  new Set([...run(cuobjdump, ["--help"]).matchAll(/'sm_(\d+a?)'/g)].map(([, number]) => number));

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** @param {string} text what `cuobjdump -res-usage` prints @returns {Resources[]} */
export function parseResources(text) {
  const lines =
    /^arch = sm_(?<architecture>\d+a?)$|^ *Function (?<symbol>[^:\s]+):$|^ *REG:(?<registers>\d+) STACK:(?<stack>\d+) SHARED:(?<shared>\d+) LOCAL:(?<local>\d+)/gm;
  const found = [];
  let [architecture, symbol] = ["", ""];
  for (const { groups } of text.matchAll(lines)) {
    if (groups.architecture) architecture = groups.architecture;
    else if (groups.symbol) symbol = groups.symbol;
    else found.push({ architecture, symbol, ...numbers(groups) });
  }
  return found;
}

const numbers = ({ registers, stack, shared, local }) => ({
  registers: Number(registers),
  stack: Number(stack),
  shared: Number(shared),
  local: Number(local),
});

/** @param {string} text what `cuobjdump -sass` prints @returns {Instructions[]} */
export function parseInstructions(text) {
  const [, ...functions] = text.split(/^\s*Function : /m);
  return functions.map((body) => ({ symbol: body.slice(0, body.indexOf("\n")).trim(), counts: countsIn(body) }));
}

/** How often each instruction stands there, with its modifiers: LDG.E.128. */
function countsIn(body) {
  const counts = new Map();
  for (const [, name] of body.matchAll(/^\s*\/\*[0-9a-f]{4,}\*\/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)/gm))
    counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** "dequantize" of "_ZN2hb10dequantizeINS_8Bfloat16E…": the last name before template arguments or parameters. @param {string} symbol */
export function kernelOf(symbol) {
  let rest = symbol.replace(/^_ZN?K?/, "");
  let name = symbol;
  for (let length = lengthOf(rest); length; length = lengthOf(rest)) {
    name = rest.slice(length.digits, length.digits + length.value);
    rest = rest.slice(length.digits + length.value);
  }
  return name;
}

function lengthOf(text) {
  const digits = /^\d+/.exec(text)?.[0];
  return digits === undefined ? undefined : { digits: digits.length, value: Number(digits) };
}
