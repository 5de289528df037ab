/**
 * CUDA toolkits on this machine: by --toolkit, CUDA_HOME and CUDA_PATH, nvcc on PATH, /usr/local/cuda*, and what fetch-toolkits.mjs has
 * fetched. What a toolkit is, its nvcc says. Plain Node; the machine is a parameter.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** @type {import("./toolkits.d.mts").Machine} */
export const thisMachine = {
  env: process.env,
  exists: existsSync,
  list: (folder) => (existsSync(folder) ? readdirSync(folder).sort() : []),
  run(program, args) {
    const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
    return status === 0 ? stdout : undefined;
  },
  home: homedir(),
};

/** Where fetched toolkits are kept, outside of any clone. */
export const toolkitCache = ({ env, home } = thisMachine) =>
  env["HALFBYTE_TOOLKITS"] || join(env["XDG_CACHE_HOME"] || join(home, ".cache"), "halfbyte", "toolkits");

/**
 * One per CUDA version, the first of the order above.
 * @param {readonly string[]} named folders of --toolkit
 * @returns {import("./toolkits.d.mts").Toolkit[]}
 */
export function findToolkits(named = [], machine = thisMachine) {
  const found = new Map();
  for (const { nvcc, toldBy } of candidates(named, machine)) {
    if (!machine.exists(nvcc)) continue;
    const build = versionIn(machine.run(nvcc, ["--version"]));
    const version = build?.split(".").slice(0, 2).join(".");
    if (version && !found.has(version)) found.set(version, { version, build, nvcc, toldBy });
  }
  return [...found.values()];
}

function candidates(named, machine) {
  const { env } = machine;
  const folders = [
    ...named.map((folder) => ({ folder, toldBy: "--toolkit" })),
    ...["CUDA_HOME", "CUDA_PATH"].flatMap((name) => (env[name] ? [{ folder: env[name], toldBy: name }] : [])),
  ];
  const usual = [...cudaFolders("/usr/local", machine), ...cudaFolders(toolkitCache(machine), machine)];
  const onPath = (env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return [
    ...folders.map(inToolkit),
    ...onPath.map((folder) => ({ nvcc: join(folder, "nvcc"), toldBy: "PATH" })),
    ...usual.map((folder) => inToolkit({ folder, toldBy: folder })),
  ];
}

const inToolkit = ({ folder, toldBy }) => ({ nvcc: join(folder, "bin", "nvcc"), toldBy });

const cudaFolders = (parent, { list }) =>
  list(parent)
    .filter((name) => /^cuda(-\d+\.\d+)?$/.test(name))
    .map((name) => join(parent, name));

/** "12.4.131" of "Cuda compilation tools, release 12.4, V12.4.131". @param {string | undefined} text */
export const versionIn = (text) => /\bV(\d+\.\d+\.\d+)/.exec(text ?? "")?.[1];

/** The toolkit's oldest host compiler that fits: CUDA 11 refuses g++ 12 and newer. Undefined: nvcc's own choice. */
export function hostCompiler({ version }, machine = thisMachine) {
  if (!version.startsWith("11.")) return undefined;
  const fetched = join(toolkitCache(machine), "gcc-11", "usr", "bin", "g++-11");
  return [fetched, "/usr/bin/g++-11"].find(machine.exists);
}

/** Headers and libraries of an old glibc to link against. */
export function sysroot(machine = thisMachine) {
  const folder = join(toolkitCache(machine), "sysroot");
  return machine.exists(join(folder, ".complete")) ? folder : undefined;
}

/** A cuobjdump that reads the code of every version; older ones do not know newer GPUs. */
export function findCuobjdump(machine = thisMachine) {
  const folders = [...cudaFolders("/usr/local", machine), ...cudaFolders(toolkitCache(machine), machine)];
  return folders
    .map((folder) => join(folder, "bin", "cuobjdump"))
    .filter(machine.exists)
    .at(-1);
}
