import { expect, test } from "vitest";
import { openOrSkip } from "../test/open.js";
import { chooseAdapter, requestDevice } from "./adapter.js";
import { entryPoint } from "./entry-point.js";
import { Pipelines } from "./pipelines.js";

const text = "override lanes: u32; @compute @workgroup_size(lanes) fn main() {}";
const empty = { kernel: "empty", reads: [], writes: [] };

test("each variant is compiled once, and a text that does not compile says so", async (context) => {
  await (await openOrSkip(context, { operations: [] })).backend.dispose();
  const device = await requestDevice(await chooseAdapter(await entryPoint()));
  const pipelines = new Pipelines(device);
  const small = pipelines.get({ ...empty, text, constants: { lanes: 1 } });
  expect(small.pipeline).toBeUndefined();
  expect(pipelines.get({ ...empty, text, constants: { lanes: 1 } })).toBe(small);
  expect(pipelines.get({ ...empty, text, constants: { lanes: 64 } })).not.toBe(small);
  await pipelines.ready();
  expect(small.pipeline).toBeDefined();
  const broken = pipelines.get({ ...empty, text: "fn", constants: {} });
  await expect(broken.ready).rejects.toMatchObject({ code: "KERNEL_FAILED" });
  device.destroy();
});
