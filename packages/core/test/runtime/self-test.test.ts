/** Contract §8: one wrong byte of one kernel, and the backend is not used. */
import { describe, expect, test } from "vitest";
import { createBackend } from "../../src/backend.js";
import { bytesOf } from "../../src/dtype.js";
import { type OpName, opNames } from "../../src/kernels.js";
import { operations } from "../../src/operations/index.js";
import { createReferenceDevice } from "../../src/reference/device.js";
import { reference } from "../../src/reference/provider.js";
import { openBackend } from "../../src/registry.js";
import { selfTest } from "../../src/self-test.js";
import { selfTestCases } from "../../src/self-test-cases.js";
import type { Tensor } from "../../src/tensor.js";
import { cleanProcess } from "./clean-process.js";
import { rejectionOf } from "./failure.js";
import { fakeDevice, lacking, losableDevice, withLaunch, wrongByte } from "./fake-device.js";
import { detectionOf, deviating, fakeProvider } from "./fake-provider.js";

const { warnings } = cleanProcess();

/** Everything the operations write, by name. */
const written: Readonly<Record<OpName, readonly string[]>> = {
  quantize4bit: ["codes", "absmax"],
  dequantize4bit: ["out"],
  quantizeBlockwise: ["codes", "absmax"],
  dequantizeBlockwise: ["out"],
  quantizationError: ["sums"],
  gemm4bit: ["out"],
  gemm: ["out"],
  int8VectorwiseQuant: ["q", "rowStats", "outlierColumns"],
  int8VectorwiseDequant: ["out"],
  int8LinearMatmul: ["out"],
  int8MmDequant: ["out"],
  int8ScaledMm: ["out"],
  int8MixedScaledMm: ["out"],
  optimizerUpdate32bit: ["param", "state1", "state2", "updateNorm"],
  optimizerUpdate8bitBlockwise: ["param", "state1", "state2", "absmax1", "absmax2"],
};

/** Operations every device gives to the bit (contract §5); of the others a wrong high byte must be seen. */
const exact = new Set(selfTestCases.filter(({ bound }) => bound === 0).map(({ op }) => op));

const places: readonly [string, (byteLength: number) => number][] = [
  ["first", () => 0],
  ["middle", (byteLength) => byteLength >> 1],
  ["last", (byteLength) => byteLength - 1],
];

describe("one wrong byte", () => {
  for (const op of opNames)
    for (const output of written[op]) {
      // The last byte of a little-endian float holds its sign and most of its exponent.
      for (const [place, at] of exact.has(op) ? places : places.slice(2))
        test(`${op}: the ${place} byte of ${output}`, async () => {
          const testing = selfTest(fakeDevice(wrongByte(op, output, at)), detectionOf("fake"));
          const { code, details, message } = await rejectionOf(testing);
          expect(code).toBe("SELF_TEST_FAILED");
          expect(details).toMatchObject({ kernel: op, variant: "reference", output });
          expect(message).toContain(output);
        });
    }

  test("the table above names every output and every updated argument", async () => {
    const backend = createBackend(createReferenceDevice(), {
      chosen: "reference",
      skipped: [],
      selfTest: { cases: 0, ms: 0, cached: false },
    });
    const seen = new Map<OpName, Set<string>>(opNames.map((op) => [op, new Set()]));
    for (const { op, build } of selfTestCases) {
      const args = await build(backend);
      const { outputs, inout = [] } = operations[op].plan(args as never);
      const updated = Object.entries(args).filter(([, value]) => inout.includes(value as Tensor));
      for (const name of [...Object.keys(outputs), ...updated.map(([name]) => name)]) seen.get(op)!.add(name);
    }
    for (const op of opNames) expect([...seen.get(op)!].sort(), op).toEqual([...written[op]].sort());
  });
});

describe("opening", () => {
  test("the real reference provider opens after one whose kernel is wrong in a single byte", async () => {
    const wrong = deviating(
      "wrong",
      wrongByte("dequantize4bit", "out", (byteLength) => byteLength >> 1),
    );
    const backend = await openBackend([wrong, reference()]);
    expect(backend.name).toBe("reference");
    expect(backend.report).toMatchObject({
      chosen: "reference",
      skipped: [{ provider: "wrong", stage: "self-test", code: "SELF_TEST_FAILED" }],
    });
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain("dequantize4bit");
    using tensor = backend.tensor("float32", [2], Float32Array.of(1, 2));
    expect(bytesOf(await tensor.read())).toEqual(bytesOf(Float32Array.of(1, 2)));
  });

  test("`selfTest: false` takes it as it is", async () => {
    const wrong = deviating(
      "wrong",
      wrongByte("gemm", "out", () => 3),
    );
    expect((await openBackend([wrong], { selfTest: false })).report).toMatchObject({
      chosen: "wrong",
      selfTest: { cases: 0, cached: false },
    });
  });

  test("a right device passes every case and starts with no tensors", async () => {
    const backend = await openBackend([fakeProvider("right")]);
    expect(backend.report).toMatchObject({
      chosen: "right",
      skipped: [],
      selfTest: { cases: selfTestCases.length, cached: false },
    });
    expect(backend.memory()).toEqual({ tensors: 0, bytes: 0, packedBytes: 0, leaked: 0 });
  });

  test("every operation has a case", () => {
    expect(new Set(selfTestCases.map(({ op }) => op))).toEqual(new Set(opNames));
  });

  test("kernels a device does not have are not tested, and nothing of them stays allocated", async () => {
    const living = new Set<unknown>();
    const device = fakeDevice((inner) => ({
      ...lacking(["gemm4bit", "int8MmDequant"])(inner),
      allocate: (byteLength, zeroed) => {
        const storage = inner.allocate(byteLength, zeroed);
        living.add(storage);
        return storage;
      },
      free(storage) {
        living.delete(storage);
        inner.free(storage);
      },
    }));
    const { cases } = await selfTest(device, detectionOf("fake"));
    const lacked = selfTestCases.filter(({ op }) => op === "gemm4bit" || op === "int8MmDequant");
    expect(cases).toBe(selfTestCases.length - lacked.length);
    expect(living.size).toBe(0);
  });

  const broken = new Error("no such instruction");
  const brokenRuns = {
    throws: () => {
      throw broken;
    },
    faults: () => () => Promise.reject(broken),
  };
  for (const [how, run] of Object.entries(brokenRuns))
    test(`a kernel that ${how} fails the self-test and the device is closed`, async () => {
      const { device, closed } = losableDevice();
      const failing = { ...device, ...withLaunch("gemm", () => run)(device) };
      const { report } = await openBackend([fakeProvider("broken", { open: async () => failing })]);
      expect(report.skipped).toMatchObject([
        { stage: "self-test", code: "SELF_TEST_FAILED", message: "no such instruction" },
      ]);
      expect(closed()).toBe(1);
    });

  test("a device lost on the way is skipped as lost", async () => {
    const { device, lose } = losableDevice();
    const open = async () => {
      lose();
      return device;
    };
    const { report } = await openBackend([fakeProvider("fragile", { open })]);
    expect(report.chosen).toBe("reference");
    expect(report.skipped).toMatchObject([{ provider: "fragile", stage: "self-test", code: "DEVICE_LOST" }]);
  });
});
