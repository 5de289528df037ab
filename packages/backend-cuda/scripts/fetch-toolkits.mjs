/**
 * `node scripts/fetch-toolkits.mjs --accept-nvidia-eula [11.8 12.4]`: CUDA compilers, a g++ that fits the old one, and a glibc 2.31 to link against, from
 * Debian's archive into a cache folder (HALFBYTE_TOOLKITS, by default ~/.cache/halfbyte/toolkits). About 2 GB of download and 600 MB kept.
 *
 * Nothing is installed: scripts/debian-archive.mjs. The toolkits are NVIDIA's, under NVIDIA's licence: they are used to build and never become part of
 * a package or of this repository.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { archiveObstacle, run, withArchive } from "../../../scripts/debian-archive.mjs";
import { toolkitCache } from "./toolkits.mjs";

/** Debian's suite of a toolkit, where its parts of the C++ core libraries come from too, and its runtime's package. */
const toolkits = {
  11.8: { suite: "bookworm", runtime: "libcudart11.0" },
  12.4: { suite: "trixie", runtime: "libcudart12" },
};
const multiarch = "x86_64-linux-gnu";

/** @param {string} version */
export const isFetchable = (version) => Object.hasOwn(toolkits, version);

/**
 * Fetches what is not there yet. Returns what went wrong.
 * @param {readonly string[]} versions
 * @param {{ accepted: boolean, cache?: string }} options
 * @returns {Promise<string | undefined>}
 */
export async function fetchToolkits(versions, { accepted, cache = toolkitCache() }) {
  const items = missingItems(versions, cache);
  if (items.length === 0) return undefined;
  if (!accepted)
    return "CUDA toolkits are fetched only when you accept NVIDIA's licence (https://docs.nvidia.com/cuda/eula): say --accept-nvidia-eula.";
  const obstacle = archiveObstacle();
  if (obstacle) return `${obstacle} Install a CUDA toolkit and name it with --toolkit or CUDA_HOME.`;
  try {
    mkdirSync(cache, { recursive: true });
    const suites = [...new Set(items.map(({ suite }) => suite))];
    withArchive(cache, { suites, components: "main contrib non-free" }, (archive) => {
      for (const item of items) inPlace(cache, item, (folder) => item.unpack(archive, folder));
    });
    return undefined;
  } catch (error) {
    return `Fetching CUDA toolkits failed: ${error.message}`;
  }
}

/** A folder of the cache, the suites it comes from, and how it is filled. */
function missingItems(versions, cache) {
  const items = [
    ...versions.map((version) => ({
      name: `cuda-${version}`,
      suite: toolkits[version].suite,
      unpack: unpackToolkit(version),
    })),
    ...(versions.includes("11.8") ? [{ name: "gcc-11", suite: "bookworm", unpack: unpackCompiler }] : []),
    { name: "sysroot", suite: "bullseye", unpack: unpackSysroot },
  ];
  return items.filter(({ name }) => !existsSync(join(cache, name, ".complete")));
}

/** Filled beside its place: what is there is whole. */
function inPlace(cache, { name }, fill) {
  const started = performance.now();
  console.log(`Fetching ${name} …`);
  const [fresh, folder] = [join(cache, `${name}.partial-${process.pid}`), join(cache, name)];
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  fill(fresh);
  writeFileSync(join(fresh, ".complete"), "");
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  console.log(`${name} is there, ${Math.round((performance.now() - started) / 1000)} s.`);
}

// ── What is made of the packages ──

/** NVIDIA's own layout: bin, nvvm, include, lib64, targets. */
const unpackToolkit = (version) => (archive, folder) => {
  const { suite, runtime } = toolkits[version];
  const files = join(folder, ".files");
  const exactly = (name) => `=${archive.version(name, `${version}.`)}`;
  archive.unpack("nvidia-cuda-toolkit", exactly("nvidia-cuda-toolkit"), files);
  placePrograms(files, folder);
  // The rest of this package is gigabytes of static mathematics libraries.
  const library = `./usr/lib/${multiarch}`;
  const parts = [
    "./usr/include/*",
    `${library}/libcudart_static.a`,
    `${library}/libcudadevrt.a`,
    `${library}/libculibos.a`,
  ];
  archive.unpack("nvidia-cuda-dev", exactly("nvidia-cuda-dev"), files, parts);
  archive.unpack(runtime, exactly(runtime), files);
  for (const name of ["libcub-dev", "libthrust-dev", "libcu++-dev"])
    archive.unpack(name, `/${suite}`, files, ["./usr/include/*"]);
  placeLibraries(files, folder);
  rmSync(files, { recursive: true, force: true });
};

const programs = [
  "cudafe++",
  "ptxas",
  "fatbinary",
  "nvlink",
  "bin2c",
  "cuobjdump",
  "nvdisasm",
  "nvprune",
  "cu++filt",
  "__nvcc_device_query",
];

/** Debian's nvcc is a script bound to /usr; the program lies in its own folder. */
function placePrograms(files, folder) {
  const [own, bin] = [join(files, "usr", "lib", "nvidia-cuda-toolkit"), join(folder, "bin")];
  const nvvm = join(folder, "nvvm");
  for (const name of [join(nvvm, "bin"), join(nvvm, "libdevice"), bin]) mkdirSync(name, { recursive: true });
  copyFileSync(join(own, "bin", "cicc"), join(nvvm, "bin", "cicc"));
  copyFileSync(join(own, "bin", "nvcc"), join(bin, "nvcc"));
  cpSync(join(own, "bin", "crt"), join(bin, "crt"), { recursive: true });
  copyFileSync(join(own, "libdevice", "libdevice.10.bc"), join(nvvm, "libdevice", "libdevice.10.bc"));
  for (const name of programs) {
    const program = join(files, "usr", "bin", name);
    if (existsSync(program)) copyFileSync(program, join(bin, name));
  }
  for (const name of [join(nvvm, "bin", "cicc"), ...readdirSync(bin).map((entry) => join(bin, entry))])
    chmodSync(name, 0o755);
  writeFileSync(join(bin, "nvcc.profile"), profile);
}

/** Where nvcc looks, from its own place. */
const profile = `TOP              = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
LD_LIBRARY_PATH += $(TOP)/lib:
PATH            += $(TOP)/nvvm/bin:$(_HERE_):
INCLUDES        +=  "-I$(TOP)/include" $(_SPACE_)
LIBRARIES        =+ $(_SPACE_) "-L$(TOP)/lib64"
CUDAFE_FLAGS    +=
PTXAS_FLAGS     +=
`;

function placeLibraries(files, folder) {
  const keep = { recursive: true, verbatimSymlinks: true };
  cpSync(join(files, "usr", "include"), join(folder, "include"), keep);
  cpSync(join(files, "usr", "lib", multiarch), join(folder, "lib64"), keep);
  symlinkSync("lib64", join(folder, "lib"));
}

/** CUDA 11.8 refuses g++ 12 and newer. */
function unpackCompiler(archive, folder) {
  const version = archive.version("g++-11", "11.");
  for (const name of ["g++-11", "gcc-11", "cpp-11", "libgcc-11-dev", "libstdc++-11-dev"])
    archive.unpack(name, `=${version}`, folder);
  // The package's link leads to a runtime that is not in it: any newer one will do.
  const link = join(folder, "usr", "lib", "gcc", multiarch, "11", "libstdc++.so");
  rmSync(link, { force: true });
  symlinkSync(systemLibrary("libstdc++.so.6"), link);
  rmSync(join(folder, "usr", "share"), { recursive: true, force: true });
}

function systemLibrary(name) {
  const found = run("ldconfig", ["-p"])
    .split("\n")
    .find((line) => line.includes(name) && line.includes("x86-64"));
  if (!found) throw new Error(`${name} is not on this system`);
  return found.split(" => ")[1].trim();
}

function unpackSysroot(archive, folder) {
  for (const name of ["libc6", "libc6-dev", "linux-libc-dev", "libcrypt1", "libcrypt-dev", "libgcc-s1"])
    archive.unpack(name, "/bullseye", folder);
  rmSync(join(folder, "usr", "share"), { recursive: true, force: true });
  keepLinksInside(folder);
}

/** Absolute links would lead to this machine's own libraries. */
function keepLinksInside(root) {
  for (const name of readdirSync(root, { recursive: true })) {
    const link = join(root, name);
    if (!lstatSync(link).isSymbolicLink()) continue;
    const target = readlinkSync(link);
    if (!target.startsWith("/")) continue;
    rmSync(link);
    symlinkSync(relative(dirname(link), join(root, target)), link);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { "accept-nvidia-eula": { type: "boolean" } },
    allowPositionals: true,
  });
  const accepted = values["accept-nvidia-eula"] || process.env["HALFBYTE_ACCEPT_NVIDIA_EULA"] === "1";
  const unknown = positionals.filter((version) => !isFetchable(version));
  const failure =
    unknown.length > 0
      ? `Debian has no CUDA ${unknown.join(", ")}; it has ${Object.keys(toolkits).join(", ")}.`
      : await fetchToolkits(positionals.length > 0 ? positionals : Object.keys(toolkits), { accepted });
  if (failure) {
    console.error(failure);
    process.exitCode = 1;
  }
}
