/**
 * Tries a native library in a process of its own, so that one that crashes or hangs takes nobody with it. Started by probe.ts
 * with a request as its only argument; says on file descriptor 3, one JSON object a line, what it is about to do and what it
 * found. Plain JavaScript and beside its caller, because it runs from the sources as well as from the build.
 */
"use strict";

const { writeSync } = require("node:fs");

/** What is said last is what a crash is blamed on. */
const say = (news) => writeSync(3, `${JSON.stringify(news)}\n`);

/** @type {import("./probe.ts").ProbeRequest} */
const request = JSON.parse(process.argv[2]);
const { load } = require("koffi");

/** The device's own number of what failed; a library that numbers its errors replaces this. */
let lastError = () => 0;

try {
  tryLibrary();
  say({ step: "closing" });
} catch (thrown) {
  say({ thrown: thrown instanceof Error ? thrown.message : String(thrown), error: lastError() });
}

function tryLibrary() {
  say({ step: "loading" });
  const library = load(request.path);
  say({ step: "asking" });
  const ask = bind(library, ["hb_abi_version", "hb_build_info"]);
  const version = ask.hb_abi_version();
  // Of another version nothing but the number is known.
  say({ identity: { version, info: version === request.abiVersion ? ask.hb_build_info() : "" } });
  if (version !== request.abiVersion) return;
  say({ step: "binding" });
  for (const name of request.names) library.symbol(name);
  const functions = bind(library, Object.keys(request.signatures));
  lastError = errorNumberOf(library);
  say({ step: "computing" });
  say({ answer: quantize(functions, request) });
}

function bind(library, names) {
  return Object.fromEntries(names.map((name) => [name, library.func(name, ...request.signatures[name])]));
}

/** Libraries may leave this function out. */
function errorNumberOf(library) {
  try {
    return library.func("hb_last_error", "int32_t", []);
  } catch {
    return lastError;
  }
}

/** The question answered by hb_quantize_4bit on the device. */
function quantize(hb, { device, question: { x, code, blockSize, dtype, format, profile } }) {
  const created = [null];
  expectOk("hb_queue_create", hb.hb_queue_create(device, 1, created));
  const [queue] = created;
  const input = Float32Array.from(x);
  const codes = new Uint8Array(Math.ceil(x.length / 2));
  const absmax = new Float32Array(Math.ceil(x.length / blockSize));
  const [onDevice, codesThere, absmaxThere] = [input, codes, absmax].map((array) =>
    expectMemory(hb.hb_alloc(queue, array.byteLength, 0)),
  );
  expectOk("hb_write", hb.hb_write(queue, onDevice, 0, input, input.byteLength, 0));
  expectOk(
    "hb_quantize_4bit",
    hb.hb_quantize_4bit(
      queue,
      onDevice,
      dtype,
      x.length,
      Float32Array.from(code),
      format,
      blockSize,
      profile,
      codesThere,
      absmaxThere,
      null,
    ),
  );
  expectOk("hb_read", hb.hb_read(queue, codesThere, 0, codes, codes.byteLength));
  expectOk("hb_read", hb.hb_read(queue, absmaxThere, 0, absmax, absmax.byteLength));
  expectOk("hb_queue_wait", hb.hb_queue_wait(queue, hb.hb_queue_last(queue)));
  for (const pointer of [onDevice, codesThere, absmaxThere]) hb.hb_free(queue, pointer);
  hb.hb_queue_destroy(queue);
  return { codes: [...codes], absmax: [...absmax] };
}

function expectMemory(tensor) {
  if (tensor === null) throw new Error("hb_alloc found no memory");
  return tensor;
}

function expectOk(name, status) {
  if (status !== 0) throw new Error(`${name} returned status ${status}`);
}
