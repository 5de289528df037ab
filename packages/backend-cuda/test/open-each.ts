/** Opens CUDA on this machine once for each version that a stub driver tells, and prints what became of it: a program for open-driver.test.ts. */
import { isHalfbyteError } from "@halfbyte/core";
import { examine } from "../src/examine.js";
import { findLibraries } from "../src/find-libraries.js";
import { nodeWorld } from "../src/node-world.js";
import { cudaProvider } from "../src/provider.js";

interface Request {
  readonly folder: string;
  readonly drivers: readonly number[];
}

const { folder, drivers } = JSON.parse(process.argv[2]!) as Request;
const provider = cudaProvider({}, () => ({
  world: nodeWorld({ application: folder }),
  examine,
  findLibraries: (world) => findLibraries(world, { folders: [folder] }),
}));

async function opened(driver: number): Promise<string> {
  // Native code sees it too, here and in the processes that are started.
  process.env["STUB_DRIVER"] = String(driver);
  try {
    const device = await provider.open();
    await device.close();
    return device.tier;
  } catch (thrown) {
    return isHalfbyteError(thrown) ? thrown.code : String(thrown);
  }
}

const results: string[] = [];
for (const driver of drivers) results.push(await opened(driver));
process.stdout.write(JSON.stringify(results));
