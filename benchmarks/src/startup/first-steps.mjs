// What a program waits for when it starts: `node first-steps.mjs <threads>` prints one JSON object of milliseconds. It runs the packages as
// they are published, in a process of its own.
const start = performance.now();
let last = start;
const lap = () => {
  const now = performance.now();
  const passed = now - last;
  last = now;
  return passed;
};

const { openBackend } = await import("@halfbyte/core");
const { cpu } = await import("@halfbyte/backend-cpu");
const imported = lap();
const provider = cpu({ threads: Number(process.argv[2]) });
const detection = await provider.detect();
const detected = lap();
const backend = await openBackend([provider]);
const opened = lap();
const codes = backend.kernels.quantize4bit({
  x: backend.zeros("float32", [64, 64]),
  format: "nf4",
  blockSize: 64,
}).codes;
await codes.read();
const firstKernel = lap();
const { chosen, selfTest, skipped } = backend.report;
await backend.dispose();
console.log(
  JSON.stringify({
    available: detection.available,
    chosen,
    tier: backend.tier,
    cached: selfTest.cached,
    reason: skipped[0]?.message,
    imported,
    detected,
    opened,
    firstKernel,
  }),
);
