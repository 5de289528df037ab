// A model folder of the right shape with seeded random weights: for demos and benchmarks, where no trained model is at hand.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom, fromFloat32, writeSafetensors } from "@halfbyte/core";

/** Dimensions in the manner of SmolLM2, 29.3 M parameters, embeddings tied. */
const config = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  hidden_size: 384,
  intermediate_size: 1024,
  num_hidden_layers: 13,
  num_attention_heads: 6,
  num_key_value_heads: 6,
  vocab_size: 16384,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  torch_dtype: "bfloat16",
};

function shapesOf({
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  vocab_size: vocabulary,
}) {
  const layer = (i) => [
    [`model.layers.${i}.input_layernorm.weight`, [hidden]],
    ...["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => [
      `model.layers.${i}.self_attn.${name}.weight`,
      [hidden, hidden],
    ]),
    [`model.layers.${i}.post_attention_layernorm.weight`, [hidden]],
    [`model.layers.${i}.mlp.gate_proj.weight`, [inner, hidden]],
    [`model.layers.${i}.mlp.up_proj.weight`, [inner, hidden]],
    [`model.layers.${i}.mlp.down_proj.weight`, [hidden, inner]],
  ];
  return [
    ["model.embed_tokens.weight", [vocabulary, hidden]],
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
    ["model.norm.weight", [hidden]],
  ];
}

/** Norms near one, everything else normal with deviation 0.02. */
function valuesOf(shape, random) {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const [centre, spread] = shape.length === 1 ? [1, 0.1] : [0, 0.02];
  return Float32Array.from({ length: size }, () => centre + spread * random.normal());
}

export function writeSyntheticModel(folder) {
  const random = createRandom(20261122);
  const tensors = shapesOf(config).map(([name, shape]) => ({
    name,
    dtype: "BF16",
    shape,
    bytes: new Uint8Array(fromFloat32("bfloat16", valuesOf(shape, random)).buffer),
  }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(tensors, { format: "pt" }));
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}
