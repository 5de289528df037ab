/**
 * The reference kernels behind another name and without profile `cpu`: what every accelerated backend is to the judges, at
 * hand before there is one. A kernel can be broken in one byte.
 */
import {
  type BackendProvider,
  type Device,
  type Launch,
  type OpName,
  type Ops,
  reference,
  storageOf,
  type Tensor,
} from "@halfbyte/core";

/** @param broken an operation whose results have a wrong first byte */
export function renamedReference(broken?: OpName): BackendProvider {
  const original = reference();
  return {
    name: "renamed",
    detect: async () => ({ ...(await original.detect()), provider: "renamed" }),
    open: async () => renamed(await original.open(), broken),
  };
}

function renamed(device: Device, broken: OpName | undefined): Device {
  const overrides: Partial<Device> = {
    name: "renamed",
    tier: "renamed",
    select: (op, args) => select(device, op, args, broken),
  };
  return new Proxy(device, { get: (target, key) => Reflect.get(overrides, key) ?? bound(target, key) });
}

/** Methods see the device itself, whose private fields a proxy does not have. */
function bound(target: Device, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === "function" ? value.bind(target) : value;
}

function select<K extends OpName>(device: Device, op: K, args: Ops[K]["in"], broken: OpName | undefined) {
  if ("profile" in args && args.profile === "cpu")
    return {
      code: "UNSUPPORTED_KERNEL",
      message: "There is no profile cpu here.",
      remedy: "Use the reference backend.",
    };
  const launch = device.select(op, args);
  return op === broken && "run" in launch ? breaking(device, launch) : launch;
}

/** Overwrites the first byte of every result, in queue order. */
function breaking<K extends OpName>(device: Device, launch: Launch<K>): Launch<K> {
  return {
    ...launch,
    run: (args, out) => {
      const check = launch.run(args, out);
      const written = [
        ...Object.values<Tensor>(out as Record<string, Tensor>),
        ...("param" in args ? [args.param] : []),
      ];
      for (const tensor of written) device.write(storageOf(tensor), 0, Uint8Array.of(0x5b));
      return check;
    },
  };
}
