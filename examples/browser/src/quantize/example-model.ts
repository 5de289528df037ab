/**
 * A small synthetic model: the tensors of two layers of a Llama, with the values that real weights have (normal, a few outlying columns,
 * one heavy tail) and tensors of every kind that stays as it is. Seeded: the same bytes on every machine.
 */
import { createRandom, fromFloat32, type Random, writeSafetensors } from "@halfbyte/core";

const [vocabulary, hidden, inner, layers] = [1536, 320, 896, 2];

export const exampleName = "example.safetensors";

interface Spec {
  readonly name: string;
  readonly dtype: "BF16" | "F32" | "I64";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

type Draw = (random: Random, index: number) => number;

const normal: Draw = (random) => 0.02 * random.normal();

/** One column in eighty is six times as large, as in trained models. */
const outlying: Draw = (random, index) => ((index % inner) % 80 === 7 ? 6 : 1) * normal(random, index);

/** Student's t with three degrees of freedom. */
const heavyTailed: Draw = (random, index) => {
  const chi = random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2;
  return normal(random, index) / Math.sqrt(chi / 3);
};

/** A safetensors file of 7 MB. */
export function exampleModel(): Uint8Array {
  const random = createRandom(4);
  const matrix = (name: string, rows: number, columns: number, draw = normal) =>
    floats(name, [rows, columns], random, draw);
  const one: Draw = () => 1;
  return writeSafetensors(
    [
      matrix("model.embed_tokens.weight", vocabulary, hidden),
      ...Array.from({ length: layers }, (_, layer) => decoderLayer(`model.layers.${layer}`, matrix, random)).flat(),
      floats("model.norm.weight", [hidden], random, one),
      matrix("lm_head.weight", vocabulary, hidden),
      positions(),
    ],
    { format: "pt" },
  );
}

function decoderLayer(
  layer: string,
  matrix: (name: string, rows: number, columns: number, draw?: Draw) => Spec,
  random: Random,
): Spec[] {
  const one: Draw = () => 1;
  return [
    ...["q_proj", "k_proj", "v_proj"].map((name) => matrix(`${layer}.self_attn.${name}.weight`, hidden, hidden)),
    matrix(`${layer}.self_attn.o_proj.weight`, hidden, hidden, heavyTailed),
    matrix(`${layer}.mlp.gate_proj.weight`, inner, hidden),
    matrix(`${layer}.mlp.up_proj.weight`, inner, hidden),
    matrix(`${layer}.mlp.down_proj.weight`, hidden, inner, outlying),
    floats(`${layer}.input_layernorm.weight`, [hidden], random, one),
    floats(`${layer}.post_attention_layernorm.weight`, [hidden], random, one),
  ];
}

function floats(name: string, shape: readonly number[], random: Random, draw: Draw): Spec {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const values = Float32Array.from({ length: size }, (_, index) => draw(random, index));
  return { name, dtype: "BF16", shape, bytes: new Uint8Array(fromFloat32("bfloat16", values).buffer) };
}

function positions(): Spec {
  const bytes = new Uint8Array(BigInt64Array.from({ length: 64 }, (_, index) => BigInt(index)).buffer);
  return { name: "model.position_ids", dtype: "I64", shape: [1, 64], bytes };
}
