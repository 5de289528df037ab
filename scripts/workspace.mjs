/**
 * What is installed and what is built, and bringing both up to date. Plain Node: runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { capture, node, pnpm, root } from "./run.mjs";

const installStamp = join(root, "node_modules", ".halfbyte-installed");

/** Packages of native libraries, one per platform, and what puts the libraries into them. */
const platformFolders = {
  [join(root, "packages", "backend-cpu", "platforms")]: "stage-library.mjs",
  [join(root, "packages", "backend-cuda", "platforms")]: "stage-libraries.mjs",
};

/** Every package of the workspace: its folder and its package.json. */
export function packages() {
  return [join(root, "packages"), ...Object.keys(platformFolders)]
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) }));
}

/** The packages that go to the registry and can be packed here: of those of a platform, the ones whose library is built. */
export function publishedPackages() {
  return packages().filter(({ folder, manifest }) => !manifest.private && (!manifest.os || hasLibrary(folder)));
}

/** @param {string} folder of a platform's package */
function hasLibrary(folder) {
  const parent = dirname(folder);
  const script = join(parent, "..", "scripts", platformFolders[parent]);
  return spawnSync(process.execPath, [script, "--check"], { cwd: folder, stdio: "ignore" }).status === 0;
}

/** Installs when node_modules is absent or older than the lock file or a package.json. */
export async function ensureInstalled() {
  const inputs = [
    ...["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].map((name) => join(root, name)),
    ...packages().map(({ folder }) => join(folder, "package.json")),
    join(root, "benchmarks", "package.json"),
    join(root, "examples", "browser", "package.json"),
  ];
  if (changedAt(installStamp) >= Math.max(...inputs.map(changedAt))) return;
  console.log("Installing dependencies …");
  const code = await node(pnpm("install", "--frozen-lockfile", "--prefer-offline"));
  if (code !== 0) throw new Error("The installation failed; the reason stands above.");
  writeFileSync(installStamp, "Written by scripts/setup.mjs after each install.\n");
}

/** Builds the packages whose dist is missing or older than their sources. */
export async function ensureBuilt() {
  const stale = packages().filter(isStale);
  if (stale.length === 0) return;
  console.log(`Building ${stale.map(({ manifest }) => manifest.name).join(", ")} …`);
  const filters = stale.flatMap(({ manifest }) => ["--filter", manifest.name]);
  const code = await node(pnpm(...filters, "run", "build"));
  if (code !== 0) throw new Error("The build failed; the reason stands above.");
}

/** @param {{ folder: string, manifest: any }} pkg */
function isStale({ folder, manifest }) {
  if (!manifest.scripts?.build) return false;
  const dist = join(folder, "dist");
  const named = filesNamed(manifest).filter((path) => path.startsWith("./dist/"));
  if (!existsSync(dist) || named.some((path) => !existsSync(join(folder, path)))) return true;
  const sources = [
    ...[folder, ...bundledBy(manifest)].flatMap((source) => filesIn(join(source, "src"))),
    ...["package.json", "tsup.config.ts"].map((name) => join(folder, name)),
  ];
  // The oldest output counts: a build that was interrupted leaves a mixture.
  return Math.max(...sources.map(changedAt)) > Math.min(...filesIn(dist).map(changedAt));
}

/** Folders of the private packages that a build takes in. @param {any} manifest */
function bundledBy({ devDependencies = {} }) {
  return packages()
    .filter(({ manifest }) => manifest.private && manifest.name in devDependencies)
    .map(({ folder }) => folder);
}

/** Every path in main, types and exports. @returns {string[]} */
function filesNamed({ main, types, exports }) {
  const leaves = (node) => (typeof node === "string" ? [node] : Object.values(node ?? {}).flatMap(leaves));
  return [main, types, ...leaves(exports)].filter((path) => typeof path === "string");
}

/** @returns {string[]} the files below a folder, tests excepted */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** Time of the last change in milliseconds, 0 for a file that does not exist. */
function changedAt(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/**
 * Packs every published package into `folder`, as the registry would get it.
 * @param {string} folder
 * @returns {Promise<{ name: string, manifest: any, tarball: string }[]>}
 */
export async function packAll(folder) {
  const published = publishedPackages();
  const filters = published.flatMap(({ manifest }) => ["--filter", manifest.name]);
  const { code, stdout, stderr } = await capture(pnpm("-r", ...filters, "pack", "--pack-destination", folder));
  if (code !== 0) throw new Error(`pnpm pack failed:\n${stdout}${stderr}`);
  return published.map(({ manifest }) => ({
    name: manifest.name,
    manifest,
    tarball: join(folder, tarballName(manifest)),
  }));
}

function tarballName({ name, version }) {
  return `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
}
