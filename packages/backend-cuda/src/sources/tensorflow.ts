/**
 * @tensorflow/tfjs-node-gpu of the application: it opens its CUDA libraries by name while it runs, so nothing is listed. Its file name
 * tells the TensorFlow version, which was built with one CUDA version; at full depth the name it opens is looked for as well.
 */
import { posix, win32 } from "node:path";
import { type ApplicationPackage, applicationPackage } from "../application-package.js";
import type { AskOptions, Detector } from "../detector.js";
import type { Framework } from "../machine-facts.js";
import { parseVersion } from "../runtime-version.js";
import type { World } from "../world.js";
import { frameworkAt, frameworkRole, sayFramework } from "./framework.js";

const name = "@tensorflow/tfjs-node-gpu";

/** The CUDA version of TensorFlow's own GPU builds for Linux, from each version on. */
const builtWith: readonly (readonly [tensorflow: string, cuda: string])[] = [
  ["1.13", "10.0"],
  ["2.1", "10.1"],
  ["2.4", "11.0"],
  ["2.5", "11.2"],
  ["2.12", "11.8"],
  ["2.15", "12.2"],
  ["2.16", "12.3"],
  ["2.18", "12.5"],
];

export const tensorflow: Detector<Framework> = {
  name,
  depth: "quick",
  async find(world, options) {
    const found = await applicationPackage(world, name);
    return found && { ...frameworkAt(name, found), ...(await cudaOf(world, found, options)) };
  },
  value: sayFramework,
  role: (found, context) => frameworkRole(found, context),
};

type Told = Pick<Framework, "cuda" | "toldBy">;

async function cudaOf(world: World, { folder }: ApplicationPackage, options: AskOptions): Promise<Told> {
  const { join } = world.platform === "win32" ? win32 : posix;
  const libraries = join(folder, "deps", "lib");
  const files = (await world.list(libraries).catch(() => [])).filter((file) => /^(?:lib)?tensorflow/.test(file));
  if (files.length === 0) return { toldBy: `${libraries} holds no TensorFlow` };
  const byName = ofFileNames(files);
  const framework = files.find((file) => /^libtensorflow_framework\.so/.test(file));
  const opened =
    options.depth === "full" && framework ? await openedBy(world, join(libraries, framework), options) : undefined;
  if (opened && (!byName || opened.major !== byName.cuda.major))
    return { cuda: { major: opened.major }, toldBy: `${framework} opens ${opened.file}` };
  return byName ?? { toldBy: `${files[0]} does not tell its version` };
}

/** libtensorflow.so.2.9.1 */
function ofFileNames(files: readonly string[]): { cuda: { major: number; minor: number }; toldBy: string } | undefined {
  for (const file of files) {
    const version = parseVersion(/\.so\.(\d{1,2}\.\d{1,3}\.\d{1,3})$/.exec(file)?.[1] ?? "");
    if (!version) continue;
    const row = builtWith.findLast(([first]) => {
      const from = parseVersion(first)!;
      return version.major > from.major || (version.major === from.major && version.minor >= from.minor);
    });
    if (row) return { cuda: parseVersion(row[1])!, toldBy: `${file} was built with CUDA ${row[1]}` };
  }
  return undefined;
}

const chunkBytes = 1024 * 1024;
/** The part that opens libraries is small; what lies further on is not looked at. */
const mostChunks = 64;

/** Searches for the name of the runtime, such as libcudart.so.11.0. */
async function openedBy(world: World, path: string, { signal }: AskOptions) {
  let before = Buffer.alloc(0);
  for (let chunk = 0; chunk < mostChunks && !signal.aborted; chunk++) {
    const bytes = await world.readBytes(path, chunk * chunkBytes, chunkBytes).catch(() => new Uint8Array());
    if (bytes.length === 0) return undefined;
    const text = Buffer.concat([before, bytes]).toString("latin1");
    const match = /libcudart\.so\.(\d{2})(?:\.\d{1,2})?/.exec(text);
    if (match) return { file: match[0], major: Number(match[1]) };
    before = Buffer.from(bytes.subarray(-32));
  }
  return undefined;
}
