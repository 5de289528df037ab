/** What an operation may be given: live tensors of its own backend, outputs that fit and are nobody's argument, nothing that is written to twice. */
import type { Backend } from "./backend.js";
import { type BackendTensor, type Block, fits } from "./backend-tensor.js";
import { dtypes } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import type { OpName } from "./kernels.js";
import { expectTensor, type Plan, type TensorSpec } from "./operations/operation.js";
import { showShape } from "./shape.js";
import type { Tensor } from "./tensor.js";

/** Arguments, of which `inout` are written to. */
type Operands = Pick<Plan<OpName>, "inputs" | "inout">;

/** Throws WRONG_BACKEND or TENSOR_DISPOSED. */
export function expectOwn(backend: Backend, { inputs, inout = [] }: Operands): void {
  for (const tensor of [...inputs, ...inout]) {
    if (tensor.backend !== backend) throw foreign(tensor, backend.name);
    if (tensor.disposed)
      throw halfbyteError(
        "TENSOR_DISPOSED",
        `A disposed tensor of shape ${showShape(tensor.shape)} was passed to a kernel.`,
      );
  }
}

/** An argument that is written to shares its storage with no other argument: the result would depend on the device. */
export function expectDistinct(op: OpName, { inputs, inout = [] }: Operands): void {
  const blocks = blocksOf({ inputs, inout });
  if (inout.every((_, i) => blocks.indexOf(blocks[i]!, i + 1) < 0)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${op} writes to an argument that is passed twice.`);
}

export interface SuppliedOutput {
  readonly op: OpName;
  readonly name: string;
  readonly tensor: Tensor;
  readonly expected: TensorSpec;
}

/** Throws unless a tensor that the caller supplied can be an output beside these arguments. */
export function expectReusable(
  backend: Backend,
  { op, name, tensor, expected }: SuppliedOutput,
  operands: Operands,
): void {
  expectTensor(name, tensor, dtypes);
  expectOwn(backend, { inputs: [tensor] });
  const details = {
    tensor: name,
    found: `${tensor.dtype} ${showShape(tensor.shape)}`,
    expected: `${expected.dtype} ${showShape(expected.shape)}`,
  };
  if (!fits(tensor, expected.dtype, expected.shape))
    throw halfbyteError(
      "SHAPE_MISMATCH",
      `The supplied output ${name} of ${op} is ${details.found}, expected ${details.expected}.`,
      { details },
    );
  if (blocksOf(operands).includes((tensor as BackendTensor).block))
    throw halfbyteError(
      "INVALID_ARGUMENT",
      `The supplied output ${name} of ${op} is also an argument; tensors are immutable.`,
      { details },
    );
}

const blocksOf = ({ inputs, inout = [] }: Operands): Block[] =>
  [...inout, ...inputs].map((tensor) => (tensor as BackendTensor).block);

function foreign(tensor: Tensor, name: string): Error {
  const found = tensor.backend.name;
  return halfbyteError(
    "WRONG_BACKEND",
    `A tensor of shape ${showShape(tensor.shape)} lives on backend "${found}", not on this "${name}".`,
    { details: { found, expected: name } },
  );
}
