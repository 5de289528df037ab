/**
 * Lists the GPUs in a process of its own, by CUDA or by NVML: starting either may crash, take seconds or never end. Started by
 * device-list-process.ts with a question as its only argument; says on file descriptor 3, one JSON object a line, what it is about
 * to do and what it found. Plain JavaScript and beside its caller, because it runs from the sources as well as from the build.
 */
"use strict";

const { writeSync } = require("node:fs");
const { load } = require("koffi");

/** What is said last is what a crash is blamed on. */
const say = (news) => writeSync(3, `${JSON.stringify(news)}\n`);

/** @type {import("./device-list.ts").DeviceQuestion} */
const { by, names } = JSON.parse(process.argv[2]);

/** Longer than every name, UUID and version that is given. */
const textBytes = 256;
/** More than any machine has. */
const mostDevices = 1024;

const uint = () => new Uint32Array(1);
const text = (bytes) => Buffer.from(bytes).toString("utf8").split("\0", 1)[0];

try {
  (by === "nvml" ? askNvml : askCuda)(open());
  say({ step: "closing" });
} catch (thrown) {
  say({ thrown: thrown instanceof Error ? thrown.message : String(thrown) });
}

/** The first library that the loader finds. */
function open() {
  const refusals = [];
  for (const name of names) {
    say({ step: `loading ${name}` });
    try {
      return load(name);
    } catch (thrown) {
      refusals.push(`${name}: ${thrown.message}`);
    }
  }
  throw new Error(refusals.join("; "));
}

/** A function of the library that returns its status. */
function statusOf(library, name, types, args) {
  say({ step: name });
  return library.func(name, "int", types)(...args);
}

/** Calls what must succeed; a status that is none of success ends the script. */
function must(library, name, types, ...args) {
  const status = statusOf(library, name, types, args);
  if (status === 0) return;
  say({ failed: { call: name, status } });
  process.exit(0);
}

/** Whether a call that an old driver may lack, or that a device may refuse, succeeded. */
function may(library, name, types, ...args) {
  try {
    return statusOf(library, name, types, args) === 0;
  } catch {
    return false;
  }
}

function counted(count) {
  say({ count });
  return Array.from({ length: Math.max(0, Math.min(count, mostDevices)) }, (_, index) => index);
}

function askCuda(cuda) {
  must(cuda, "cuInit", ["uint"], 0);
  const count = new Int32Array(1);
  must(cuda, "cuDeviceGetCount", ["int *"], count);
  for (const index of counted(count[0])) say({ device: cudaDevice(cuda, index) });
}

/** Attributes 75 and 76 are the compute capability. */
function cudaDevice(cuda, index) {
  const [handle, major, minor] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
  const [name, uuid, memory] = [new Uint8Array(textBytes), new Uint8Array(16), new BigUint64Array(1)];
  must(cuda, "cuDeviceGet", ["int *", "int"], handle, index);
  const [device] = handle;
  must(cuda, "cuDeviceGetAttribute", ["int *", "int", "int"], major, 75, device);
  must(cuda, "cuDeviceGetAttribute", ["int *", "int", "int"], minor, 76, device);
  const named = may(cuda, "cuDeviceGetName", ["uint8_t *", "int", "int"], name, textBytes, device);
  const sized = may(cuda, "cuDeviceTotalMem_v2", ["uint64_t *", "int"], memory, device);
  const known = ["cuDeviceGetUuid_v2", "cuDeviceGetUuid"].some((call) =>
    may(cuda, call, ["uint8_t *", "int"], uuid, device),
  );
  return {
    index,
    major: major[0],
    minor: minor[0],
    ...(named && { name: text(name) }),
    ...(sized && { memoryBytes: Number(memory[0]) }),
    ...(known && { id: uuidText(uuid) }),
  };
}

/** As nvidia-smi and CUDA_VISIBLE_DEVICES write it. */
function uuidText(bytes) {
  const hex = Buffer.from(bytes).toString("hex");
  return `GPU-${hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")}`;
}

function askNvml(nvml) {
  must(nvml, "nvmlInit_v2", []);
  say({ versions: nvmlVersions(nvml) });
  const count = uint();
  must(nvml, "nvmlDeviceGetCount_v2", ["uint32_t *"], count);
  for (const index of counted(count[0])) say({ device: nvmlDevice(nvml, index) });
  may(nvml, "nvmlShutdown", []);
}

function nvmlVersions(nvml) {
  const [driver, cuda] = [new Uint8Array(textBytes), new Int32Array(1)];
  const told = may(nvml, "nvmlSystemGetDriverVersion", ["uint8_t *", "uint32_t"], driver, textBytes);
  const counted = may(nvml, "nvmlSystemGetCudaDriverVersion_v2", ["int *"], cuda);
  return { ...(told && { driver: text(driver) }), ...(counted && { cuda: cuda[0] }) };
}

/** A device that does not answer is one without a capability. */
function nvmlDevice(nvml, index) {
  const handle = new BigUint64Array(1);
  if (!may(nvml, "nvmlDeviceGetHandleByIndex_v2", ["uint32_t", "uint64_t *"], index, handle)) return { index };
  const [name, id, memory] = [new Uint8Array(textBytes), new Uint8Array(textBytes), new BigUint64Array(3)];
  const [major, minor] = [new Int32Array(1), new Int32Array(1)];
  const ask = (call, types, ...args) => may(nvml, call, ["uint64_t", ...types], handle[0], ...args);
  const capable = ask("nvmlDeviceGetCudaComputeCapability", ["int *", "int *"], major, minor);
  const named = ask("nvmlDeviceGetName", ["uint8_t *", "uint32_t"], name, textBytes);
  const known = ask("nvmlDeviceGetUUID", ["uint8_t *", "uint32_t"], id, textBytes);
  const sized = ask("nvmlDeviceGetMemoryInfo", ["uint64_t *"], memory);
  return {
    index,
    ...(capable && { major: major[0], minor: minor[0] }),
    ...(named && { name: text(name) }),
    ...(known && { id: text(id) }),
    ...(sized && { memoryBytes: Number(memory[0]) }),
  };
}
