/** Suite quantize: floats to codes, in every family of formats. The floor is reading the floats. */
import { type Backend, type Float, getFormat, type Tensor } from "@halfbyte/core";
import type { Bench, Prepared } from "../case.js";
import { disposeAll, kernelCalls } from "../kernel-calls.js";
import { relativeError } from "../measure/statistics.js";
import { referenceCandidate } from "../peers/reference.js";
import { type Activations, activationsOf } from "../product.js";
import { copiesOf, type Spec } from "../spec.js";
import { readFloats } from "../weights.js";
import { type Encoded, type FormatCodec, formatCodec } from "./format-codec.js";

export async function prepareQuantize(spec: Spec, bench: Bench): Promise<Prepared> {
  const { shape, dtype, temperature } = spec;
  const { backend } = bench;
  const values = activationsOf(dtype, shape.n * shape.k, 1);
  const bytes = values.stored.byteLength;
  const copies = copiesOf(bytes, temperature);
  const inputs = Array.from({ length: copies }, () => matrix(backend, spec, values));
  const codec = formatCodec(backend, getFormat(spec.format!));
  const calls = kernelCalls<Encoded>(backend, copies, (copy, into) => codec.encode(inputs[copy]!, into));
  return {
    ours: calls.ours,
    floor: { kind: "read", work: bytes, temperature },
    otherFloors: [],
    candidates: [
      referenceCandidate((host) => {
        const x = matrix(host, spec, values);
        const own = formatCodec(host, getFormat(spec.format!));
        return { run: () => disposeAll(Object.values(own.encode(x))), dispose: () => disposeAll([x, own]) };
      }),
    ],
    relativeError: await reconstructionError(codec, calls.outputs, spec, values),
    accuracy: null,
    dispose() {
      calls.dispose();
      disposeAll([codec, ...inputs]);
    },
  };
}

const matrix = (backend: Backend, { shape: { n, k }, dtype }: Spec, { stored }: Activations): Tensor<Float> =>
  backend.tensor(dtype, [n, k], stored);

/** How far the codes are from the values: what quantization loses. */
async function reconstructionError(
  codec: FormatCodec,
  encoded: Encoded,
  { shape: { n, k } }: Spec,
  { values }: Activations,
): Promise<number> {
  using decoded = codec.decode(encoded, [n, k], "float32").out;
  return relativeError(await readFloats(decoded), values);
}
