/**
 * `node scripts/build-floors.mjs`: builds build/libhalfbyte_floors.* when it is missing or older than its sources. Plain Node. Without CMake or a
 * C++ compiler it says so and succeeds: figures then have no floor beside them.
 */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWithCMake, findCompiler, findProgram, isNewerThan, reasonToSkip } from "../../scripts/cmake.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(folder, "native");
const buildFolder = join(folder, "build");
const extension = { win32: "dll", darwin: "dylib" }[process.platform] ?? "so";
const library = join(buildFolder, `libhalfbyte_floors.${extension}`);

process.exitCode = main();

/** The exit code. */
function main() {
  if (reasonToSkip() || isNewerThan(library, [source])) return 0;
  const cmake = findProgram(["cmake"]);
  const compiler = findCompiler();
  if (!cmake || (compiler === undefined && process.platform !== "win32")) {
    console.log("No CMake or no C++ compiler; the loops that measure the machine's floors are not built.");
    return 0;
  }
  console.log(`Building floor loops with ${compiler ?? "the system's compiler"} …`);
  const failure = buildWithCMake({ cmake, compiler, source, cmakeFolder: join(buildFolder, "cmake"), library });
  if (failure !== undefined) console.log(failure);
  return failure === undefined ? 0 : 1;
}
