/**
 * Sharing GPU memory with other CUDA libraries of the process, without a copy. Their streams and ours run side by side: who uses memory next
 * waits, on the GPU, for who used it before, and nothing waits on the host.
 */
import {
  type Backend,
  type DType,
  deviceOf,
  halfbyteError,
  isTensor,
  type Shape,
  storageOf,
  type Tensor,
  tensorOver,
} from "@halfbyte/core";
import { type NativeDevice, nativeOf } from "@halfbyte/native";

export interface DeviceMemory<D extends DType> {
  /** Of the first byte, in the memory of the backend's device; a multiple of 16. */
  readonly address: bigint;
  readonly dtype: D;
  readonly shape: Shape;
  /** The other library's cudaStream_t; 0n: the device's default stream. Without it: what is written to the memory is there already. */
  readonly stream?: bigint;
}

type SharingDevice = Pick<NativeDevice, "wrap" | "releaseTo">;

/**
 * A tensor over memory that another library allocated. Operations on it come after what was enqueued so far on `stream`. It is never freed here: its owner
 * keeps it until the tensor is disposed and releaseTo() was called. Wrap it again when its owner has written to it since.
 */
export function wrapDeviceMemory<D extends DType>(
  backend: Backend,
  { address, dtype, shape, stream }: DeviceMemory<D>,
): Tensor<D> {
  const device = sharing(backend);
  if (stream !== undefined) expectStream(stream);
  return tensorOver(backend, dtype, shape, (byteLength) => device.wrap(expectAddress(address), byteLength, stream));
}

/** What is enqueued on another library's stream from now on comes after everything the backend was asked for so far. */
export const releaseTo = (backend: Backend, stream: bigint): void => sharing(backend).releaseTo(expectStream(stream));

/** Where a tensor lies in the memory of its device; it stays there until it is disposed. */
export function deviceAddressOf(tensor: Tensor): bigint {
  if (!isTensor(tensor)) throw halfbyteError("INVALID_ARGUMENT", `${String(tensor)} is no tensor.`);
  sharing(tensor.backend);
  const { pointer, paged } = nativeOf(storageOf(tensor));
  if (!paged) return pointer;
  throw halfbyteError(
    "INVALID_ARGUMENT",
    "A paged tensor lies in memory of the host: it has no address on the device.",
    {
      remedy: "Make it without `paged`.",
    },
  );
}

function sharing(backend: Backend): SharingDevice {
  const device = backend && (deviceOf(backend) as Partial<SharingDevice> | undefined);
  if (device?.wrap && device.releaseTo && backend.name.startsWith("cuda")) return device as SharingDevice;
  throw halfbyteError("INVALID_ARGUMENT", `Backend "${backend?.name}" has no device memory to share.`, {
    remedy: "Open a CUDA backend.",
  });
}

function expectStream(stream: bigint): bigint {
  if (typeof stream === "bigint" && stream >= 0n && stream < 1n << 64n) return stream;
  throw halfbyteError("INVALID_ARGUMENT", `${String(stream)} is no handle of a stream: a BigInt is.`);
}

function expectAddress(address: bigint): bigint {
  if (typeof address === "bigint" && address > 0n && address < 1n << 64n) return address;
  throw halfbyteError("INVALID_ARGUMENT", `${String(address)} is no address of device memory.`);
}
