/** The weight of a product as the library takes it: codes, scales and table, or a packed copy of them. */
import type { QuantizedTensor, Tensor } from "@halfbyte/core";
import { dtypeNumbers } from "./abi.js";
import type { Pointer } from "./functions.js";
import type { NativeDevice } from "./native-device.js";
import { pointerOf } from "./native-storage.js";

/** Block sizes of 4-bit weights are 32-bit numbers in C. */
const largestBlockSize = 2 ** 32 - 1;

export const refuseNested = ({ scales }: QuantizedTensor): string | undefined =>
  scales.kind === "nested" ? "nested scales are decoded by an operation of their own." : undefined;

export function refuseWeight(weight: QuantizedTensor, device: NativeDevice): string | undefined {
  const { blockSize } = weight;
  const nested = device.decodesNested(weight) ? undefined : refuseNested(weight);
  if (nested !== undefined) return nested;
  return blockSize > largestBlockSize ? `block size ${blockSize} is beyond ${largestBlockSize}.` : undefined;
}

/** Scales that the library decodes on the way: what the nested functions take of them; undefined: others. */
export function nestedScales(device: NativeDevice, weight: QuantizedTensor) {
  const { scales } = weight;
  if (scales.kind !== "nested" || !device.decodesNested(weight)) return undefined;
  const { absmax, nestedAbsmax, nestedCode, nestedBlockSize, offset } = scales;
  return [pointerOf(absmax), pointerOf(nestedAbsmax), pointerOf(nestedCode), nestedBlockSize, offset] as const;
}

export const codePointer = (device: NativeDevice, { code, format }: QuantizedTensor): Pointer =>
  code ? pointerOf(code) : device.table(format);

/** The packed copy of a 4-bit weight; null when the device keeps none. */
export function packedWeight(device: NativeDevice, weight: QuantizedTensor): Pointer | null {
  const known = device.packed.known(weight);
  if (known !== undefined) return known;
  const byteLength = device.packedBytes4bit(weight);
  if (byteLength === 0) return null;
  const { codes, scales, blockSize, shape } = weight;
  const [n, k] = shape as readonly [number, number];
  const nested = scales.kind === "nested" ? [scales.nestedAbsmax, scales.nestedCode] : [];
  return device.packed.get(weight, {
    sources: [codes, scales.absmax, ...nested].map(pointerOf),
    layout: [n, k, blockSize, ...(scales.kind === "nested" ? [scales.nestedBlockSize, scales.offset] : [])].join(),
    byteLength,
    pack: (packed) =>
      withBlockScales(device, weight, (absmax) =>
        device.queue.enqueue("hb_pack_4bit", pointerOf(codes), absmax, blockSize, n, k, packed),
      ),
  });
}

/** f32 block scales: the weight's own, or decoded for the time of `use`. */
export function withBlockScales(
  device: NativeDevice,
  { scales }: QuantizedTensor,
  use: (absmax: Pointer) => void,
): void {
  if (scales.kind !== "nested") {
    use(pointerOf(scales.absmax));
    return;
  }
  const { absmax: codes, nestedAbsmax, nestedCode, nestedBlockSize, offset } = scales;
  device.withScratch(codes.size * Float32Array.BYTES_PER_ELEMENT, (absmax) => {
    const source = [pointerOf(codes), pointerOf(nestedAbsmax), pointerOf(nestedCode)] as const;
    const { float32 } = dtypeNumbers;
    device.queue.enqueue("hb_dequantize_blockwise", ...source, codes.size, nestedBlockSize, offset, absmax, float32);
    use(absmax);
  });
}

/** The packed copy of an int8 weight, from its second product on; null when the device keeps none. */
export function packedInt8(device: NativeDevice, weight: Tensor<"int8">): Pointer | null {
  const known = device.packed.known(weight);
  if (known !== undefined) return known;
  const [n, k] = weight.shape as readonly [number, number];
  const byteLength = device.packedBytesInt8(n, k);
  const source = pointerOf(weight);
  if (byteLength === 0 || !device.packed.isUsedAgain(source)) return null;
  const pack = (packed: Pointer) => device.queue.enqueue("hb_pack_int8", source, n, k, packed);
  return device.packed.get(weight, { sources: [source], layout: `${n},${k}`, byteLength, pack });
}
