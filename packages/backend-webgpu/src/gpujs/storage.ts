/** Host bytes of a tensor, and what kernels were given of them. */
import {
  type Float,
  fromFloat32,
  halfbyteError,
  type Storage,
  storageOf,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import type { Resident } from "./kernels/kernel.js";

export class HostStorage {
  readonly #residents = new Map<string, Resident>();
  #buffer: ArrayBuffer | undefined;
  #failure: Error | undefined;

  constructor(readonly byteLength: number) {}

  get bytes(): Uint8Array {
    return new Uint8Array(this.#memory(), 0, this.byteLength);
  }

  /** The bytes as 16-bit words, as the numbers that kernels take. */
  words(begin: number, end: number): Float32Array {
    return new Float32Array(new Uint16Array(this.#memory(), 2 * begin, end - begin));
  }

  /** Elements of a float tensor, widened exactly. */
  floats(dtype: Float, begin: number, end: number): Float32Array {
    const elements = dtype === "float32" ? Float32Array : Uint16Array;
    const width = elements.BYTES_PER_ELEMENT;
    return toFloat32(dtype, new elements(this.#memory(), width * begin, end - begin));
  }

  /** Rounds to the dtype of the tensor, to nearest even. */
  storeFloats(dtype: Float, begin: number, values: Float32Array): void {
    const rounded = fromFloat32(dtype, values);
    const bytes = new Uint8Array(rounded.buffer, rounded.byteOffset, rounded.byteLength);
    this.write(bytes, begin * rounded.BYTES_PER_ELEMENT);
  }

  write(bytes: Uint8Array, byteOffset: number): void {
    this.#forget();
    this.bytes.set(bytes, byteOffset);
  }

  /** What was to be written is lost: whoever looks at these bytes gets the reason instead. */
  fail(reason: Error): void {
    this.#failure = reason;
  }

  /** What `make` gave for this name, until the bytes are written to or freed. */
  async resident(name: string, make: () => Promise<Resident>): Promise<Resident> {
    const resident = this.#residents.get(name) ?? (await make());
    this.#residents.set(name, resident);
    return resident;
  }

  free(): void {
    this.#forget();
    this.#buffer = new ArrayBuffer(0);
  }

  /** Allocated when first touched, in whole words. */
  #memory(): ArrayBuffer {
    if (this.#failure) throw this.#failure;
    this.#buffer ??= allocate(4 * Math.ceil(this.byteLength / 4));
    return this.#buffer;
  }

  #forget(): void {
    for (const resident of this.#residents.values()) resident.release();
    this.#residents.clear();
  }
}

function allocate(byteLength: number): ArrayBuffer {
  try {
    return new ArrayBuffer(byteLength);
  } catch (cause) {
    throw halfbyteError("OUT_OF_MEMORY", `Cannot allocate ${byteLength} bytes of host memory.`, { cause });
  }
}

export const hostOf = (storage: Storage): HostStorage => storage as unknown as HostStorage;
export const hostStorageOf = (tensor: Tensor): HostStorage => hostOf(storageOf(tensor));
