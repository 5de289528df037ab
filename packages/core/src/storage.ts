/** The one link from a tensor to its device's storage; a `Symbol.for` brand, so that the ESM and CJS builds share it. */
import type { Storage } from "./device.js";
import { halfbyteError } from "./errors.js";
import type { Tensor } from "./tensor.js";

export const storageKey = Symbol.for("halfbyte.storage");

/** The storage a device allocated for this tensor. Throws TENSOR_DISPOSED. */
export function storageOf(tensor: Tensor): Storage {
  const storage = (tensor as { [storageKey]?: Storage })[storageKey];
  if (storage === undefined)
    throw halfbyteError(
      "TENSOR_DISPOSED",
      "A disposed tensor, or something that is not a tensor, was passed to a kernel.",
    );
  return storage;
}

/** Which kernel made the content of a tensor, in which variant. Undefined for uploads, and on devices that do not keep it. */
export function originOf(tensor: Tensor): { backend: string; kernel: string; variant: string } | undefined {
  const { origin } = storageOf(tensor);
  return origin && { backend: tensor.backend.name, kernel: origin.kernel, variant: origin.variant };
}

/** Whether `value` is a tensor of any build of halfbyte. */
export const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && storageKey in value;
