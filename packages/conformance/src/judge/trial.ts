/**
 * One golden case on one backend: hands out its parameters and tensors, runs operations, and turns comparisons into
 * verdicts. Judges are generators of verdicts, one or more for every output of the case.
 */
import {
  type Backend,
  createQuantizedTensor,
  type DType,
  type Float,
  halfbyteError,
  type OpName,
  type Ops,
  type QuantizedTensor,
  type Shape,
  type Tensor,
} from "@halfbyte/core";
import type { CaseRecord } from "../golden/side-car.js";
import type { Closeness, Ulps } from "../tolerance.js";
import { type Difference, differenceBeyond, differenceInBits, differenceInUlps } from "./compare.js";
import { arrayOf, type Elements, isFloatType, numbersOf, readElements, type Stored } from "./elements.js";

/** Vectors know two sets of rules: what Python writes on a CPU, and the default. */
export type JudgedProfile = "reference" | "cpu";

/** What one output came to; without a difference it passed. */
export interface Verdict {
  readonly output: string;
  readonly difference?: Difference | undefined;
}

export type Verdicts = AsyncGenerator<Verdict, void, void>;
export type Judge = (trial: Trial) => Verdicts;

/** Core's reference kernels: the oracle of every expectation that the vectors do not hold. */
export type Oracle = () => Promise<Backend>;

export class Trial {
  readonly #owned: Disposable[] = [];
  #reference: Trial | undefined;

  constructor(
    readonly backend: Backend,
    readonly profile: JudgedProfile,
    readonly record: CaseRecord,
    readonly tensors: ReadonlyMap<string, Stored>,
    readonly oracle: Oracle,
  ) {}

  /** The same case on core's reference kernels under profile `reference` (R in contract §5). */
  async reference(): Promise<Trial> {
    if (this.profile === "reference" && this.backend.name === "reference") return this;
    this.#reference ??= new Trial(await this.oracle(), "reference", this.record, this.tensors, this.oracle);
    return this.#reference;
  }

  text(name: string): string {
    const value = this.record.params[name];
    if (typeof value === "string") return value;
    throw this.#invalid(`param ${name} is not a text`);
  }

  number(name: string): number {
    const value = this.record.params[name];
    if (typeof value === "number") return value;
    throw this.#invalid(`param ${name} is not a number`);
  }

  wants(output: string): boolean {
    return output in this.record.outputs;
  }

  has(input: string): boolean {
    return input in this.record.inputs;
  }

  input(name: string): Stored {
    return this.#stored(this.record.inputs[name], `input ${name}`);
  }

  expected(name: string): Stored {
    return this.#stored(this.record.outputs[name], `output ${name}`);
  }

  #stored(tensor: string | undefined, what: string): Stored {
    const stored = tensor === undefined ? undefined : this.tensors.get(tensor);
    if (stored) return stored;
    throw this.#invalid(`${what} is missing`);
  }

  /** Uploads the bytes as they are. `shape` defaults to the stored one. */
  upload<D extends DType>(dtype: D, stored: Stored, shape: Shape = stored.shape): Tensor<D> {
    if (stored.dtype !== dtype) throw this.#invalid(`a tensor is ${stored.dtype} instead of ${dtype}`);
    return this.own(this.backend.tensor(dtype, shape, arrayOf(dtype, stored.bytes)));
  }

  /** Uploads floats of whatever dtype they have. */
  uploadFloat(stored: Stored, shape: Shape = stored.shape): Tensor<Float> {
    if (!isFloatType(stored.dtype)) throw this.#invalid(`a tensor is ${stored.dtype} instead of a float`);
    return this.upload(stored.dtype, stored, shape);
  }

  float(input: string): Tensor<Float> {
    return this.uploadFloat(this.input(input));
  }

  float32(values: Float32Array): Tensor<"float32"> {
    return this.own(this.backend.tensor("float32", [values.length], values));
  }

  /** Runs one operation; the outputs live as long as the trial. */
  run<K extends OpName>(op: K, args: Ops[K]["in"]): Ops[K]["out"] {
    const outputs = this.backend.kernels[op](args);
    for (const output of Object.values<Tensor>(outputs as Record<string, Tensor>)) this.own(output);
    return outputs;
  }

  own<T extends Disposable>(resource: T): T {
    this.#owned.push(resource);
    return resource;
  }

  /** A weight from stored codes and scales; its tensors live as long as the trial. */
  weight(parts: Parameters<typeof createQuantizedTensor>[0]): QuantizedTensor {
    return this.own(createQuantizedTensor(parts));
  }

  /** Bit for bit as the vector has it, or as `expected`. */
  bits(output: string, found: Elements, expected: Elements = this.expected(output)): Verdict {
    return { output, difference: differenceInBits(expected, found) };
  }

  async read(output: string, tensor: Tensor, expected?: Elements): Promise<Verdict> {
    return this.bits(output, await readElements(tensor), expected);
  }

  ulps(output: string, found: Elements, { ulps }: Ulps): Verdict {
    return { output, difference: differenceInUlps(this.expected(output), found, ulps) };
  }

  close(
    output: string,
    found: Elements,
    { rtol, atol }: Closeness,
    expected: Elements = this.expected(output),
  ): Verdict {
    const numbers = numbersOf(expected);
    const bound = (i: number) => rtol * Math.abs(numbers[i]!) + atol;
    return { output, difference: differenceBeyond(numbers, numbersOf(found), bound) };
  }

  within(output: string, found: Float64Array, expected: Float64Array, bound: (index: number) => number): Verdict {
    return { output, difference: differenceBeyond(expected, found, bound) };
  }

  /** The vector's value under profile `cpu`; under `reference`, what the reference kernels give. */
  async vectorOr(output: string, recompute: (reference: Trial) => Promise<Elements>): Promise<Elements> {
    return this.profile === "cpu" ? this.expected(output) : recompute(await this.reference());
  }

  dispose(): void {
    this.#reference?.dispose();
    for (const resource of this.#owned.splice(0)) resource[Symbol.dispose]();
  }

  #invalid(why: string): Error {
    return invalidCase(`${this.record.op} ${this.record.id}: ${why}.`);
  }
}

/** A case that cannot be judged is a failed case, never a skipped one. */
export const invalidCase = (message: string): Error => halfbyteError("VECTORS_INVALID", message);
