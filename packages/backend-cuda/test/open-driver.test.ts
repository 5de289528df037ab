/** From the driver's number to the library opened: the whole way on this machine, with a stub for libcuda and for the libraries. */
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import { compileNativeStub, noNativeStubs } from "./native-stub.js";
import { cudaLibrary, install, noStubs } from "./stub-libraries.js";

const script = fileURLToPath(new URL("./open-each.ts", import.meta.url));

// Nothing asks for a version: the newest that the driver covers, else the one least ahead of it.
const expected: Readonly<Record<number, string>> = {
  10020: "CUDA_DRIVER_TOO_OLD",
  11000: "cuda118",
  11040: "cuda118",
  11080: "cuda118",
  12000: "cuda118",
  12010: "cuda118",
  12030: "cuda118",
  12040: "cuda124",
  12080: "cuda124",
  12090: "cuda124",
  13000: "cuda130",
  13010: "cuda130",
  14000: "cuda130",
  0: "CUDA_NO_DRIVER",
};

it("drivers of CUDA 10.2 to 14.0", async ({ skip }) => {
  const obstacle = noStubs ?? noNativeStubs;
  if (obstacle) skip(obstacle);
  const ids = ["cuda118", "cuda124", "cuda130"];
  const folder = install(...(await Promise.all(ids.map(async (id) => ({ id, body: await cudaLibrary(id) })))));
  const drivers = Object.keys(expected).map(Number);
  const args = ["--import", "tsx", "--conditions=@halfbyte/source", script, JSON.stringify({ folder, drivers })];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: {
      ...process.env,
      LD_LIBRARY_PATH: dirname(compileNativeStub("stub_libcuda.c", "libcuda.so.1")),
      XDG_CACHE_HOME: temporaryFolder(),
      XDG_DATA_HOME: temporaryFolder(),
      HALFBYTE_LOG_LEVEL: "error",
    },
  });
  const results = JSON.parse(stdout) as string[];
  expect(Object.fromEntries(drivers.map((driver, i) => [driver, results[i]]))).toEqual(expected);
});
