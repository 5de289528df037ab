/**
 * The tiny model of the checkpoints: x = embed(ids); per layer h = LayerNorm(x) (weight only), x += o_proj(q_proj(h)),
 * x += down_proj(silu(up_proj(x))); logits = lm_head(x). Its matrix products run on the backend in float32; the rest is
 * float64 on the host, rounded to float32 where a product reads it.
 */

/** y = x · Wᵀ + bias of the layer of this name, on the backend. */
export type Linear = (layer: string, x: Float32Array) => Promise<Float32Array>;
/** A stored tensor that is not quantized. */
export type Lookup = (name: string) => Float64Array;

export interface Model {
  readonly layers: number;
  readonly hidden: number;
  readonly ids: Float64Array;
  readonly lookup: Lookup;
  readonly linear: Linear;
}

/** The input of lm_head, [tokens, hidden]. */
export async function finalState({ layers, hidden, ids, lookup, linear }: Model): Promise<Float64Array> {
  let x = embedded(ids, lookup("model.embed_tokens.weight"), hidden);
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    const h = normalized(x, lookup(`${layer}.input_layernorm.weight`));
    const attended = await linear(`${layer}.self_attn.o_proj`, await linear(`${layer}.self_attn.q_proj`, rounded(h)));
    x = added(x, attended);
    const up = await linear(`${layer}.mlp.up_proj`, rounded(x));
    x = added(x, await linear(`${layer}.mlp.down_proj`, up.map(silu)));
  }
  return x;
}

const rounded = (values: Float64Array): Float32Array => Float32Array.from(values);
const added = (x: Float64Array, y: Float32Array): Float64Array => x.map((value, i) => value + y[i]!);
const silu = (value: number): number => value / (1 + Math.exp(-value));

function embedded(ids: Float64Array, table: Float64Array, hidden: number): Float64Array {
  const rows = [...ids].map((id) => table.subarray(id * hidden, (id + 1) * hidden));
  return Float64Array.from(rows.flatMap((row) => [...row]));
}

/** LayerNorm over rows as long as its weight, eps 1e-5. */
function normalized(x: Float64Array, weight: Float64Array): Float64Array {
  const k = weight.length;
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += k) {
    const row = x.subarray(from, from + k);
    const mean = row.reduce((sum, value) => sum + value, 0) / k;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / k;
    const scale = 1 / Math.sqrt(variance + 1e-5);
    row.forEach((value, i) => {
      out[from + i] = (value - mean) * scale * weight[i]!;
    });
  }
  return out;
}
