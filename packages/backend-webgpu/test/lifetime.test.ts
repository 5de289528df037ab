/** Whose the GPU device is, what its loss means, and that a process ends when the backend is closed. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openBackend } from "@halfbyte/core";
import { build } from "esbuild";
import { expect, type TestContext, test } from "vitest";
import { chooseAdapter, requestDevice } from "../src/adapter.js";
import { entryPoint } from "../src/entry-point.js";
import { webgpu } from "../src/index.js";
import { openOrSkip } from "./open.js";

async function ownDevice(context: TestContext): Promise<GPUDevice> {
  const { backend } = await openOrSkip(context, { operations: [] });
  await backend.dispose();
  return requestDevice(await chooseAdapter(await entryPoint()));
}

test("the caller's own device stays the caller's", async (context) => {
  const gpuDevice = await ownDevice(context);
  const backend = await openBackend([webgpu({ gpuDevice, operations: [] })], { order: ["webgpu"] });
  expect(backend.report.chosen).toBe("webgpu");
  await backend.dispose();
  gpuDevice.pushErrorScope("validation");
  gpuDevice.createBuffer({ size: 4, usage: 8 }).destroy();
  expect(await gpuDevice.popErrorScope()).toBeNull();
  gpuDevice.destroy();
});

test("a lost device is DEVICE_LOST", async (context) => {
  const gpuDevice = await ownDevice(context);
  const device = await webgpu({ gpuDevice }).open();
  const storage = device.allocate(8, true);
  gpuDevice.destroy();
  expect(await device.lost).toMatchObject({ code: "DEVICE_LOST" });
  await expect(device.read(storage, 0, new Uint8Array(8))).rejects.toMatchObject({ code: "DEVICE_LOST" });
  await expect(device.drain()).rejects.toMatchObject({ code: "DEVICE_LOST" });
  await device.close();
});

test("an adapter in software says so, and is taken only when it is asked for", async (context) => {
  const { backend } = await openOrSkip(context, { operations: [] });
  await backend.dispose();
  const { devices } = await webgpu().detect();
  if (!devices[0]?.software) context.skip("the adapter of this machine is a GPU, not a software one.");
  await using other = await openBackend([webgpu()]);
  expect(other.report).toMatchObject({ chosen: "reference", skipped: [{ code: "SOFTWARE_ADAPTER" }] });
});

const program = `
import { openBackend } from "@halfbyte/core";
import { webgpu } from "./src/index.ts";
const backend = await openBackend([webgpu({ operations: [] })], { order: ["webgpu"] });
const tensor = backend.tensor("uint8", [3], Uint8Array.of(1, 2, 3));
console.log(backend.report.chosen, ...(await tensor.read()));
await backend.dispose();
`;

test("a process ends when its backend is closed", async (context) => {
  await (await openOrSkip(context, { operations: [] })).backend.dispose();
  const resolveDir = fileURLToPath(new URL("..", import.meta.url));
  // Below the package: Node finds the package webgpu from there.
  const folder = await mkdtemp(`${resolveDir}/node_modules/.exit-`);
  const outfile = `${folder}/program.mjs`;
  const bundled = await build({
    stdin: { contents: program, resolveDir },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    conditions: ["@halfbyte/source"],
    loader: { ".wgsl": "text" },
    write: false,
  });
  await writeFile(outfile, bundled.outputFiles[0]!.contents);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 30_000 });
    expect(stdout.trim()).toMatch(/webgpu 1 2 3$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
