/**
 * What core knows about an operation besides its kernels: which arguments are right, and which outputs follow from them.
 * Every check a kernel relies on happens here, once, for all backends.
 */
import { floatDtypes } from "../dtype.js";
import { halfbyteError } from "../errors.js";
import type { Kernels, OpName, Ops } from "../kernels.js";
import { sameShape, showShape } from "../shape.js";
import { isTensor } from "../storage.js";
import type { DType, Shape, Tensor } from "../tensor.js";

export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Plan<K extends OpName> {
  readonly inputs: readonly Tensor[];
  /** Arguments the operation writes to. */
  readonly inout?: readonly Tensor[];
  readonly outputs: { readonly [O in keyof Ops[K]["out"]]: TensorSpec };
}

export interface Operation<K extends OpName> {
  /** Checks the arguments and infers the outputs. Throws a typed error at once. */
  plan(args: Ops[K]["in"]): Plan<K>;
  /** How to run it from other operations on the same device, when the device has no kernel of its own. */
  readonly compose?: Composition<K>;
}

/** Tensors without storage: enough for `select`, which looks at shapes and dtypes alone. */
export type Phantom = <D extends DType>(dtype: D, shape: Shape) => Tensor<D>;

export interface Composition<K extends OpName> {
  run(kernels: Kernels, args: Ops[K]["in"], out: Ops[K]["out"]): void;
  /** The operations `run` calls, with phantom intermediates, so that `explain` can name their variants. */
  steps(args: Ops[K]["in"], phantom: Phantom): readonly CompositionStep[];
}

export type CompositionStep = { [K in OpName]: { readonly op: K; readonly args: Ops[K]["in"] } }[OpName];

/** Throws unless `value` is a tensor of one of `dtypes`. */
export function expectTensor(name: string, value: unknown, allowed: readonly DType[] = floatDtypes): void {
  if (!isTensor(value))
    throw halfbyteError("INVALID_ARGUMENT", `${name} is not a tensor.`, { details: { tensor: name } });
  if (value.disposed) throw halfbyteError("TENSOR_DISPOSED", `${name} was disposed.`, { details: { tensor: name } });
  if (allowed.includes(value.dtype)) return;
  throw halfbyteError("DTYPE_MISMATCH", `${name} is ${value.dtype}; this operation takes ${allowed.join(", ")}.`, {
    details: { tensor: name, found: value.dtype, expected: allowed.join(", ") },
  });
}

export function expectShape(name: string, found: Shape, expected: Shape): void {
  if (sameShape(found, expected)) return;
  throw halfbyteError("SHAPE_MISMATCH", `${name} has shape ${showShape(found)}, expected ${showShape(expected)}.`, {
    details: { tensor: name, found: showShape(found), expected: showShape(expected) },
  });
}

export function expectSize(name: string, found: number, expected: number): void {
  if (found === expected) return;
  throw halfbyteError("SHAPE_MISMATCH", `${name} has ${found} elements, expected ${expected}.`, {
    details: { tensor: name, found, expected },
  });
}

export function expectRank(name: string, shape: Shape, least: number, most = Number.POSITIVE_INFINITY): void {
  if (shape.length >= least && shape.length <= most) return;
  const expected = most === least ? `${least}` : `at least ${least}`;
  throw halfbyteError("SHAPE_MISMATCH", `${name} has shape ${showShape(shape)}, expected ${expected} dimensions.`, {
    details: { tensor: name, found: showShape(shape), expected },
  });
}

export function expectOneOf<T>(name: string, value: T, allowed: readonly T[]): void {
  if (allowed.includes(value)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${name} is ${String(value)}; allowed: ${allowed.join(", ")}.`, {
    details: { found: String(value), expected: allowed.join(", ") },
  });
}

/** A finite number, at least `least`. */
export function expectNumber(name: string, value: unknown, least = Number.NEGATIVE_INFINITY): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return;
  throw halfbyteError(
    "INVALID_ARGUMENT",
    `${name} is ${String(value)}, expected a finite number${least > Number.NEGATIVE_INFINITY ? ` >= ${least}` : ""}.`,
    {
      details: { found: String(value) },
    },
  );
}

/** A positive integer; `even` for two codes to a byte. */
export function expectBlockSize(value: number, even: boolean): void {
  if (Number.isSafeInteger(value) && value > 0 && !(even && value % 2 === 1)) return;
  throw halfbyteError(
    "UNSUPPORTED_BLOCK_SIZE",
    `blockSize is ${String(value)}, expected a positive ${even ? "even " : ""}integer.`,
    { details: { found: String(value) } },
  );
}

export const profiles = ["reference", "cuda", "cpu"] as const;
export const nonFiniteRules = ["error", "propagate"] as const;

export const present = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);
