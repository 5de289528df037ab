/** Suite dequantize: codes to floats. The floor is writing the floats, past the cache. */
import { type Backend, type Float, getFormat, type Tensor } from "@halfbyte/core";
import type { Bench, Prepared } from "../case.js";
import { disposeAll, kernelCalls } from "../kernel-calls.js";
import { relativeError } from "../measure/statistics.js";
import { referenceCandidate } from "../peers/reference.js";
import { normalValues } from "../product.js";
import { copiesOf, type Spec } from "../spec.js";
import { copiesOfAll, madeOn, readFloats } from "../weights.js";
import { type Decoded, type Encoded, formatCodec } from "./format-codec.js";

export async function prepareDequantize(spec: Spec, bench: Bench): Promise<Prepared> {
  const { shape, dtype, temperature } = spec;
  const { n, k } = shape;
  const { backend } = bench;
  const format = getFormat(spec.format!);
  const codec = formatCodec(backend, format);
  const copies = copiesOf(codec.storedBytes(n * k, k), temperature);
  const values = normalValues(n * k, 1);
  const first = await madeOn(backend, (on) => encoded(on, values, spec));
  const weights = await copiesOfAll(first, copies);
  const calls = kernelCalls<Decoded>(backend, copies, (copy, into) =>
    codec.decode(weights[copy]!, [n, k], dtype, into),
  );
  return {
    ours: calls.ours,
    floor: { kind: "write", work: n * k * (dtype === "float32" ? 4 : 2), temperature },
    otherFloors: [],
    candidates: [
      referenceCandidate((host) => {
        const own = formatCodec(host, format);
        const weight = encoded(host, values, spec);
        return {
          run: () => own.decode(weight, [n, k], dtype).out.dispose(),
          dispose: () => disposeAll([own, ...Object.values(weight)]),
        };
      }),
    ],
    relativeError: await decodingError(calls.outputs.out, weights[0]!, spec),
    accuracy: null,
    dispose() {
      calls.dispose();
      for (const weight of weights) disposeAll(Object.values(weight));
      disposeAll([codec]);
    },
  };
}

function encoded(backend: Backend, values: Float32Array, { shape: { n, k }, format }: Spec): Encoded {
  using codec = formatCodec(backend, getFormat(format!));
  using x = backend.tensor("float32", [n, k], values);
  return codec.encode(x);
}

/** Against table value × scale in float64, over the first rows. */
async function decodingError(out: Tensor<Float>, weight: Encoded, { shape, format }: Spec): Promise<number> {
  const found = await readFloats(out);
  const expected = await exactValues(weight, format!, shape.k, Math.min(found.length, 65_536));
  return relativeError(found.subarray(0, expected.length), expected);
}

async function exactValues(
  { codes, absmax, q, rowStats }: Encoded,
  format: string,
  k: number,
  count: number,
): Promise<Float64Array> {
  const { bits, code, defaultBlockSize: blockSize } = getFormat(format);
  const stored = await (codes ?? q)!.read();
  const scales = await (absmax ?? rowStats)!.read();
  return Float64Array.from({ length: count }, (_, i) => {
    if (q) return (stored[i]! * scales[Math.floor(i / k)]!) / 127;
    const byte = stored[bits === 4 ? i >> 1 : i]!;
    const index = bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
    return code[index]! * scales[Math.floor(i / blockSize)]!;
  });
}
