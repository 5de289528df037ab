/** Storage of a native device: an address and a size. */
import { type Storage, storageOf, type Tensor } from "@halfbyte/core";
import type { Pointer } from "./functions.js";

export class NativeStorage {
  constructor(
    readonly pointer: Pointer,
    readonly byteLength: number,
    /** On the host: kernels do not see it. */
    readonly paged = false,
  ) {}
}

export const nativeOf = (storage: Storage): NativeStorage => storage as unknown as NativeStorage;

/** Where a tensor of a native device lies. */
export const pointerOf = (tensor: Tensor): Pointer => nativeOf(storageOf(tensor)).pointer;

export const pointerOrNull = (tensor: Tensor | undefined): Pointer | null => (tensor ? pointerOf(tensor) : null);
