/**
 * `node scripts/software-vulkan.mjs [--check]`: a Vulkan driver that renders on the CPU, for WebGPU in Node where there is no GPU. It is looked for
 * on this system, then fetched from Debian's archive, and described by icd.json in a cache folder (HALFBYTE_VULKAN, by default
 * ~/.cache/halfbyte/vulkan), where the tests find it. Prints the setting for everything else: `export $(node scripts/software-vulkan.mjs)`.
 * With --check it only says whether there is one. Plain Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { archiveObstacle, run, withArchive } from "./debian-archive.mjs";

/** Mesa's lavapipe speaks Vulkan 1.4 since Mesa 25; what is older lacks what Dawn needs. */
const oldestApi = [1, 4];
const oldestMesa = 25;

export const vulkanCache = (env = process.env) =>
  env["HALFBYTE_VULKAN"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "halfbyte", "vulkan");

/** The icd.json of the driver that is kept, for VK_ICD_FILENAMES. @returns {string | undefined} */
export function keptDriver(cache = vulkanCache()) {
  const icd = join(cache, "icd.json");
  const library = readDriver(icd)?.library;
  return library && existsSync(library) ? icd : undefined;
}

/** What an icd.json says; a library without a folder is looked for by the loader of this system. */
function readDriver(icd) {
  try {
    const { api_version: api, library_path: path } = JSON.parse(readFileSync(icd, "utf8")).ICD;
    return { icd, api, library: path.includes("/") && !isAbsolute(path) ? resolve(dirname(icd), path) : path };
  } catch {
    return undefined;
  }
}

/** lavapipe of this system, new enough. */
function installedLavapipe() {
  const folders = ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"].filter(existsSync);
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const drivers = files.filter((file) => /lvp_icd.*\.json$/.test(file)).map(readDriver);
  const found = drivers.find((driver) => driver && isNewEnough(driver.api));
  return found && { ...found, library: systemLibrary(found.library) };
}

function isNewEnough(api) {
  const [major, minor] = api.split(".").map(Number);
  return major > oldestApi[0] || (major === oldestApi[0] && minor >= oldestApi[1]);
}

/** Its whole path. @param {string} name */
function systemLibrary(name) {
  if (isAbsolute(name)) return name;
  const lines = spawnSync("ldconfig", ["-p"], { encoding: "utf8" }).stdout?.split("\n") ?? [];
  return lines
    .find((line) => line.trim().startsWith(`${name} `))
    ?.split(" => ")[1]
    ?.trim();
}

/** Chromium's own, second best: it has no 16-bit floats. */
function swiftshader() {
  const folders = ["/usr/lib/chromium", "/usr/lib64/chromium-browser", "/opt/google/chrome"];
  return folders
    .map((folder) => readDriver(join(folder, "vk_swiftshader_icd.json")))
    .find((driver) => driver && existsSync(driver.library));
}

const architectures = { x64: "amd64", arm64: "arm64" };

/** Debian's own lavapipe, or the newer one of its backports, unpacked below the cache. Throws with the reason. */
function fetchLavapipe(cache) {
  const [{ ID: id, VERSION_CODENAME: codename }, architecture] = [osRelease(), architectures[process.arch]];
  const obstacle =
    id === "debian" && codename && architecture
      ? archiveObstacle()
      : "This system is not Debian: install Mesa 25 or newer.";
  if (obstacle) throw new Error(obstacle);
  const fresh = join(cache, `.partial-${process.pid}`);
  try {
    mkdirSync(fresh, { recursive: true });
    unpackNewest(fresh, codename, architecture);
    rmSync(join(cache, "lavapipe"), { recursive: true, force: true });
    renameSync(fresh, join(cache, "lavapipe"));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return unpackedDriver(join(cache, "lavapipe"));
}

function unpackNewest(into, codename, architecture) {
  withArchive(into, { suites: [codename, `${codename}-backports`], architecture }, (archive) => {
    const version = archive.version("mesa-vulkan-drivers", (text) => Number.parseInt(text, 10) >= oldestMesa);
    const files = ["./usr/lib/*/libvulkan_lvp.so", "./usr/share/vulkan/icd.d/lvp_icd*.json"];
    archive.unpack("mesa-vulkan-drivers", `=${version}`, into, files);
  });
}

/** The driver that lies in a folder; throws when the system lacks what it needs. */
function unpackedDriver(folder) {
  const files = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const library = files.find((file) => file.endsWith("libvulkan_lvp.so"));
  const { api } = readDriver(files.find((file) => file.endsWith(".json")));
  const absent = [...run("ldd", [library]).matchAll(/(\S+) => not found/g)].map(([, name]) => name);
  if (absent.length === 0) return { library, api };
  throw new Error(
    `lavapipe is fetched but lacks ${absent.join(", ")}: install this system's own mesa-vulkan-drivers, which brings them.`,
  );
}

function osRelease() {
  if (!existsSync("/etc/os-release")) return {};
  const lines = readFileSync("/etc/os-release", "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split("=").map((part) => part.replaceAll('"', ""))));
}

/** Finds or fetches a driver and keeps its icd.json. Throws with the reason where there is none. */
function provide(cache) {
  const kept = keptDriver(cache);
  if (kept) return kept;
  mkdirSync(cache, { recursive: true });
  const { library, api } = installedLavapipe() ?? fetchedOrSwiftshader(cache);
  if (!systemLibrary("libvulkan.so.1")) console.error("The Vulkan loader is not here: install libvulkan1.");
  const icd = join(cache, "icd.json");
  writeFileSync(
    icd,
    `${JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library, api_version: api } })}\n`,
  );
  return icd;
}

function fetchedOrSwiftshader(cache) {
  try {
    return fetchLavapipe(cache);
  } catch (error) {
    const second = swiftshader();
    if (!second) throw error;
    console.error(`Chromium's SwiftShader is taken, because lavapipe could not be had: ${error.message}`);
    return second;
  }
}

function main(args) {
  if (process.platform !== "linux") throw new Error("Vulkan drivers in software are looked for on Linux only.");
  const icd = args.includes("--check") ? keptDriver() : provide(vulkanCache());
  if (!icd) throw new Error("There is none yet: `pnpm vulkan:software` looks for one and fetches it.");
  console.log(`VK_ICD_FILENAMES=${icd}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
