/** Decoding: the kernel looks up and multiplies, the host rounds to the dtype of the output. */
import type { Float } from "@halfbyte/core";
import { type Coded, tileOf } from "./coded.js";
import type { Engine } from "./engine.js";
import { decode4bit, decode8bit } from "./kernels/decode.js";
import { tileElements } from "./kernels/kernel.js";
import type { HostStorage } from "./storage.js";

export interface Dequantize {
  readonly coded: Coded;
  readonly size: number;
  /** Added in float32 (nested statistics); on the host, as a compiler for GPUs might round product and sum at once. */
  readonly offset: number;
  readonly dtype: Float;
  readonly out: HostStorage;
}

export async function dequantize(engine: Engine, job: Dequantize): Promise<void> {
  const { coded, size, dtype, out } = job;
  const kernel = coded.bits === 4 ? decode4bit : decode8bit;
  for (let begin = 0; begin < size; begin += tileElements) {
    const end = Math.min(size, begin + tileElements);
    const tile = await tileOf(engine, coded, begin, end);
    for (let at = begin; at < end; at += engine.budget.steps) {
      const count = Math.min(end - at, engine.budget.steps);
      const [values] = await engine.run(kernel, [count, 1], [...tile, at - begin]);
      out.storeFloats(dtype, at, shifted(values!, job.offset));
    }
  }
}

const shifted = (values: Float32Array, offset: number): Float32Array =>
  offset === 0 ? values : values.map((value) => value + offset);
