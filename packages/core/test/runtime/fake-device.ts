/** Devices that compute on the reference device, except for what a test changes. */
import type { Device, Launch, Storage } from "../../src/device.js";
import { halfbyteError } from "../../src/errors.js";
import type { OpName, Ops } from "../../src/kernels.js";
import { createReferenceDevice } from "../../src/reference/device.js";
import type { Reason } from "../../src/registry.js";
import { storageOf } from "../../src/storage.js";
import type { Tensor } from "../../src/tensor.js";

/** A device named `fake` (or as `change` says) that delegates to a reference device of its own. */
export function fakeDevice(change: (inner: Device) => Partial<Device> = () => ({})): Device {
  const inner = createReferenceDevice();
  return {
    name: "fake",
    tier: "fake",
    limits: inner.limits,
    lost: inner.lost,
    allocate: (byteLength, zeroed) => inner.allocate(byteLength, zeroed),
    write: (target, offset, bytes, adopt) => inner.write(target, offset, bytes, adopt),
    read: (source, offset, into, signal) => inner.read(source, offset, into, signal),
    free: (target) => inner.free(target),
    select: (op, args) => inner.select(op, args),
    drain: () => inner.drain(),
    close: () => inner.close(),
    ...change(inner),
  };
}

type Run<K extends OpName> = Launch<K>["run"];

/** Replaces what a launch of `op` does. */
export function withLaunch<K extends OpName>(op: K, change: (run: Run<K>, device: Device) => Run<K>) {
  return (inner: Device): Partial<Device> => ({
    select<O extends OpName>(wanted: O, args: Ops[O]["in"]): Launch<O> | Reason {
      const launch = inner.select(wanted, args);
      if ((wanted as OpName) !== op || !("run" in launch)) return launch;
      return { ...launch, run: change(launch.run as never, inner) as never };
    },
  });
}

/** What `check` finds is the fault of every `op`. */
export const withCheck = (op: OpName, check: () => Promise<void>) =>
  withLaunch(op, (run) => (args, out) => {
    run(args, out);
    return check;
  });

/** Has no kernel for `ops`, whatever the arguments; with `when`, only for those. */
export const lacking =
  (ops: readonly OpName[], when: (args: object) => boolean = () => true) =>
  (inner: Device): Partial<Device> => ({
    select: (op, args) => (ops.includes(op) && when(args) ? missing(op) : inner.select(op, args)),
  });

export const missing = (op: OpName): Reason => ({
  code: "UNSUPPORTED_KERNEL",
  message: `fake has no ${op}`,
  remedy: "Use another device.",
});

/** After each run of `op`, one byte of the named output or updated argument is another one. */
export const wrongByte = (op: OpName, output: string, at: (byteLength: number) => number) =>
  withLaunch(op, (run, device) => (args, out) => {
    const check = run(args as never, out as never);
    const tensor = ({ ...args, ...out } as unknown as Readonly<Record<string, Tensor | undefined>>)[output];
    if (tensor) flipByte(device, storageOf(tensor), at(tensor.byteLength));
    return check;
  });

/**
 * Flips every bit of one byte, in queue order: the byte is read behind the kernel, and the adopted bytes of a write are looked
 * at only when the queue reaches it.
 */
function flipByte(device: Device, storage: Storage, offset: number): void {
  const byte = new Uint8Array(1);
  void device.read(storage, offset, byte);
  const flipped = {
    length: 1,
    byteLength: 1,
    get 0() {
      return byte[0]! ^ 0xff;
    },
  };
  device.write(storage, offset, flipped as unknown as Uint8Array, true);
}

/** Lost when `lose` is called: from then on nothing answers, and closing is counted. */
export function losableDevice(): { device: Device; lose: () => void; closed: () => number } {
  let [isLost, closed] = [false, 0];
  let announce = (_: Reason): void => {};
  const lost = new Promise<Reason>((resolve) => {
    announce = resolve;
  });
  const alive = async () => {
    if (isLost) throw halfbyteError("DEVICE_LOST", "fake went away");
  };
  const device = fakeDevice((inner) => ({
    lost,
    read: (...args) => inner.read(...args).then(alive),
    drain: () => inner.drain().then(alive),
    close: async () => void closed++,
  }));
  const lose = () => {
    isLost = true;
    announce({ code: "DEVICE_LOST", message: "fake went away", remedy: "Plug it in again." });
  };
  return { device, lose, closed: () => closed };
}
