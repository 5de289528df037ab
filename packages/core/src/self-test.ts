/**
 * Does this device compute what the reference computes? Run when a backend is opened. A pass may be remembered; a verdict
 * never chooses a library.
 */
import { type Backend, createBackend } from "./backend.js";
import type { Device } from "./device.js";
import { bytesOf, isFloat, toFloat32 } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import type { OpName, Ops } from "./kernels.js";
import { operations } from "./operations/index.js";
import { passCache } from "./pass-cache.js";
import { referenceBackend } from "./reference/backend.js";
import type { Detection, OpenReport } from "./registry.js";
import { type SelfTestCase, selfTestCases } from "./self-test-cases.js";
import type { ArrayOf, DType, Float, Tensor } from "./tensor.js";
import { version } from "./version.js";

const passes = passCache("self-test");

/** Runs every case the device has a kernel for. Throws SELF_TEST_FAILED naming kernel, variant and the first difference. */
export async function selfTest(device: Device, detection: Detection): Promise<OpenReport["selfTest"]> {
  const untested = { cases: 0, ms: 0, cached: false };
  if (device.name === "reference") return untested;
  if (device.selfTest) return device.selfTest(detection);
  const key = keyOf(device, detection);
  if (key && passes.has(key)) return { ...untested, cached: true };
  const start = performance.now();
  const backend = createBackend(device, { chosen: device.name, skipped: [], selfTest: untested });
  let ran = 0;
  for (const one of selfTestCases) ran += (await runSelfTestCase(backend, one)) ? 1 : 0;
  if (key) passes.add(key);
  return { cases: ran, ms: performance.now() - start, cached: false };
}

/** Undefined for a provider that does not name its build: it could not be told from a changed one. */
const keyOf = (device: Device, { versions, devices }: Detection): string | undefined =>
  versions["build"] &&
  JSON.stringify([version, device.name, device.tier, versions, devices.map(({ id, name }) => [id, name])]);

/** False when the device has no kernel of its own for the case. Throws SELF_TEST_FAILED. */
export async function runSelfTestCase(backend: Backend, { op, build, bound }: SelfTestCase): Promise<boolean> {
  const args = await build(backend);
  const explanation = backend.explain(op, args as never);
  if (!("variant" in explanation) || explanation.composed) {
    disposeAll(args);
    return false;
  }
  const expected = await run(referenceBackend(), op, await build(referenceBackend()));
  const found = await run(backend, op, args);
  for (const [name, result] of Object.entries(expected)) {
    const index = firstDifference(result, found[name]!, bound);
    if (index >= 0) throw failure(backend, op, explanation, name, index);
  }
  return true;
}

interface Result {
  readonly dtype: DType;
  readonly data: ArrayOf[DType];
}

/** Runs an operation; its outputs and the arguments it has written to. */
async function run<K extends OpName>(backend: Backend, op: K, args: Ops[K]["in"]): Promise<Record<string, Result>> {
  const { inout = [] } = operations[op].plan(args);
  const updated = Object.entries(args).filter(([, value]) => inout.includes(value as Tensor));
  const out: Readonly<Record<string, Tensor>> = backend.kernels[op](args);
  const results: Record<string, Result> = {};
  for (const [name, tensor] of [...Object.entries(out), ...(updated as [string, Tensor][])])
    results[name] = { dtype: tensor.dtype, data: await tensor.read() };
  disposeAll({ ...out, ...args });
  return results;
}

function disposeAll(values: object): void {
  for (const value of Object.values(values) as unknown[])
    if (typeof value === "object" && value !== null && "dispose" in value) (value as Tensor).dispose();
}

function firstDifference({ dtype, data }: Result, found: Result, bound: number): number {
  if (bound === 0) return firstOtherByte(data, found.data);
  if (!isFloat(dtype)) return firstOtherCode(data, found.data);
  return firstBeyond(toFloat32(dtype, data as ArrayOf[Float]), toFloat32(dtype, found.data as ArrayOf[Float]), bound);
}

function firstOtherByte(expected: ArrayBufferView, found: ArrayBufferView): number {
  const bytes = bytesOf(found);
  return bytesOf(expected).findIndex((byte, i) => byte !== bytes[i]);
}

/** Codes of updated states: a value that lies on a threshold may fall to either side, one code in two hundred. */
function firstOtherCode(expected: ArrayOf[DType], found: ArrayOf[DType]): number {
  let allowed = Math.floor(expected.length / 200);
  return expected.findIndex((code: number, i: number) => {
    const distance = Math.abs(code - found[i]!);
    return distance > 1 || (distance === 1 && --allowed < 0);
  });
}

function firstBeyond(expected: Float32Array, found: Float32Array, bound: number): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.findIndex((value, i) => !(Math.abs(value - found[i]!) <= bound * largest));
}

function failure(
  backend: Backend,
  op: OpName,
  { kernel, variant }: { kernel: string; variant: string },
  output: string,
  index: number,
): Error {
  return halfbyteError(
    "SELF_TEST_FAILED",
    `Kernel ${kernel} (${variant}) of ${backend.name} gives a wrong ${output} for ${op}, first at byte or element ${index}.`,
    { details: { kernel, variant, output, index } },
  );
}
