/** Clocks of a GPU: the time that its passes took, by timestamps; without these, many launches between two waits. */
import { halfbyteError } from "@halfbyte/core";
import { type Clock, nanosecondsOf, type Work } from "../measure/clock.js";

export const gpuClock = (device: GPUDevice): Clock =>
  device.features.has("timestamp-query") ? timestampClock(device) : launchClock();

/** A query set has at most 4096 entries. */
const mostPasses = 2048;

/**
 * The sum of all compute passes that anybody encodes on the device meanwhile. Whoever computes there need not help: the passes get
 * their timestamps as they are begun.
 */
function timestampClock(device: GPUDevice): Clock {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * mostPasses });
  const bytes = 16 * mostPasses;
  const resolved = device.createBuffer({ size: bytes, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const recorder = recordPasses(device, querySet);
  return {
    timing: "GPU timestamps",
    async nanosecondsOf({ enqueue, wait }) {
      recorder.start();
      await enqueue();
      await wait();
      const passes = recorder.stop();
      if (passes === 0 || passes > mostPasses) throw unmeasurable(passes);
      const encoder = device.createCommandEncoder();
      encoder.resolveQuerySet(querySet, 0, 2 * passes, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * passes);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ, 0, 16 * passes);
      const ticks = new BigUint64Array(staging.getMappedRange(0, 16 * passes).slice(0));
      staging.unmap();
      return sumOfSpans(ticks);
    },
  };
}

const unmeasurable = (passes: number) =>
  halfbyteError("KERNEL_FAILED", `${passes} compute passes ran on the device; 1 to ${mostPasses} can be timed.`);

function sumOfSpans(ticks: BigUint64Array): number {
  let sum = 0;
  for (let i = 0; i < ticks.length; i += 2) sum += Number(ticks[i + 1]! - ticks[i]!);
  return sum;
}

/** Gives every pass begun between start and stop two entries of the set; `stop` tells how many passes there were. */
function recordPasses(device: GPUDevice, querySet: GPUQuerySet) {
  let passes: number | undefined;
  const timestamps = (): Pick<GPUComputePassDescriptor, "timestampWrites"> => {
    if (passes === undefined || passes++ >= mostPasses) return {};
    const [beginningOfPassWriteIndex, endOfPassWriteIndex] = [2 * (passes - 1), 2 * passes - 1];
    return { timestampWrites: { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex } };
  };
  const createEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = createEncoder(descriptor);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (given) => begin({ ...given, ...timestamps() });
    return encoder;
  };
  return {
    start: () => {
      passes = 0;
    },
    stop: () => {
      const count = passes ?? 0;
      passes = undefined;
      return count;
    },
  };
}

const stretch = 20e6;
const mostLaunches = 100;

/** One launch of several, so that the wait at their end counts for little. */
export function launchClock(): Clock {
  const launches = new WeakMap<Work, number>();
  const run = (work: Work, count: number) =>
    nanosecondsOf(async () => {
      for (let i = 0; i < count; i++) await work.enqueue();
      await work.wait();
    });
  return {
    timing: "repeated launches",
    async nanosecondsOf(work) {
      const known = launches.get(work);
      const count = known ?? Math.max(1, Math.min(mostLaunches, Math.ceil(stretch / (await run(work, 1)))));
      launches.set(work, count);
      return (await run(work, count)) / count;
    },
  };
}
