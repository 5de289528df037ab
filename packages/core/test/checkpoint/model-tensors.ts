/**
 * Tensors of published checkpoints, one layer of each, and what becomes of them. `yes` is a linear weight that is quantized; other words
 * are the reason why a tensor stays as it is.
 */
import type { JsonObject, StoredDType } from "../../src/index.js";

export type Row = readonly [name: string, shape: readonly number[], reason: string, dtype?: StoredDType];

export interface Model {
  readonly model: string;
  readonly config: JsonObject;
  /** llm_int8_skip_modules of the output. */
  readonly skipModules: readonly string[];
  readonly rows: readonly Row[];
}

const yes = "linear weight";
const conv1d = "Conv1D weight, transposed";
const embedding = "embedding";
const vector = "1-dimensional, not a matrix";
const unnamed = "not named *.weight";
const experts = "three-dimensional (fused experts)";
const unnamedExperts = "three-dimensional (fused experts), not named *.weight";
const skipped = (entry: string): string => `module in llm_int8_skip_modules (${entry})`;

export const models: readonly Model[] = [
  {
    model: "Llama 3",
    config: { model_type: "llama", tie_word_embeddings: false },
    skipModules: ["lm_head"],
    rows: [
      ["model.embed_tokens.weight", [128256, 4096], embedding],
      ["model.layers.0.self_attn.q_proj.weight", [4096, 4096], yes],
      ["model.layers.0.self_attn.k_proj.weight", [1024, 4096], yes],
      ["model.layers.0.self_attn.v_proj.weight", [1024, 4096], yes],
      ["model.layers.0.self_attn.o_proj.weight", [4096, 4096], yes],
      ["model.layers.0.self_attn.rotary_emb.inv_freq", [64], unnamed, "F32"],
      ["model.layers.0.mlp.gate_proj.weight", [14336, 4096], yes],
      ["model.layers.0.mlp.up_proj.weight", [14336, 4096], yes],
      ["model.layers.0.mlp.down_proj.weight", [4096, 14336], yes],
      ["model.layers.0.input_layernorm.weight", [4096], vector],
      ["model.layers.0.post_attention_layernorm.weight", [4096], vector],
      ["model.norm.weight", [4096], vector],
      ["lm_head.weight", [128256, 4096], skipped("lm_head")],
    ],
  },
  {
    model: "SmolLM2 (tied)",
    config: { model_type: "llama", tie_word_embeddings: true },
    skipModules: ["lm_head"],
    rows: [
      ["model.embed_tokens.weight", [49152, 576], embedding],
      ["model.layers.0.self_attn.q_proj.weight", [576, 576], yes],
      ["model.layers.0.mlp.down_proj.weight", [576, 1536], yes],
      ["model.norm.weight", [576], vector],
    ],
  },
  {
    model: "Qwen2",
    config: { model_type: "qwen2", tie_word_embeddings: true },
    skipModules: ["lm_head"],
    rows: [
      ["model.embed_tokens.weight", [151936, 896], embedding],
      ["model.layers.0.self_attn.q_proj.bias", [896], unnamed],
      ["model.layers.0.self_attn.q_proj.weight", [896, 896], yes],
      ["model.layers.0.mlp.up_proj.weight", [4864, 896], yes],
    ],
  },
  {
    model: "Qwen2-MoE",
    config: { model_type: "qwen2_moe", tie_word_embeddings: false },
    skipModules: ["lm_head"],
    rows: [
      ["model.layers.0.mlp.gate.weight", [60, 2048], yes],
      ["model.layers.0.mlp.experts.0.gate_proj.weight", [1408, 2048], yes],
      ["model.layers.0.mlp.experts.0.down_proj.weight", [2048, 1408], yes],
      ["model.layers.0.mlp.shared_expert.gate_proj.weight", [5632, 2048], yes],
      ["model.layers.0.mlp.shared_expert.down_proj.weight", [2048, 5632], yes],
      ["model.layers.0.mlp.shared_expert_gate.weight", [1, 2048], yes],
      ["lm_head.weight", [151936, 2048], skipped("lm_head")],
    ],
  },
  {
    model: "Qwen3",
    config: { model_type: "qwen3", tie_word_embeddings: true },
    skipModules: ["lm_head"],
    rows: [
      ["model.layers.0.self_attn.q_norm.weight", [128], vector],
      ["model.layers.0.self_attn.k_norm.weight", [128], vector],
      ["model.layers.0.self_attn.q_proj.weight", [2048, 1024], yes],
      ["lm_head.weight", [151936, 1024], skipped("lm_head")],
    ],
  },
  {
    model: "Mixtral",
    config: { model_type: "mixtral", tie_word_embeddings: false },
    skipModules: ["lm_head"],
    rows: [
      ["model.layers.0.block_sparse_moe.gate.weight", [8, 4096], yes],
      ["model.layers.0.block_sparse_moe.experts.0.w1.weight", [14336, 4096], yes],
      ["model.layers.0.block_sparse_moe.experts.7.w2.weight", [4096, 14336], yes],
      ["lm_head.weight", [32000, 4096], skipped("lm_head")],
    ],
  },
  {
    model: "Granite MoE (fused experts named *.weight)",
    config: { model_type: "granitemoe", tie_word_embeddings: true },
    skipModules: ["lm_head"],
    rows: [
      ["model.layers.0.block_sparse_moe.input_linear.weight", [32, 1024, 1024], experts],
      ["model.layers.0.block_sparse_moe.output_linear.weight", [32, 1024, 512], experts],
      ["model.layers.0.block_sparse_moe.router.layer.weight", [32, 1024], yes],
    ],
  },
  {
    model: "gpt-oss (fused experts)",
    config: { model_type: "gpt_oss", tie_word_embeddings: false },
    skipModules: ["lm_head", "router"],
    rows: [
      ["model.layers.0.mlp.experts.gate_up_proj", [32, 2880, 5760], unnamedExperts],
      ["model.layers.0.mlp.experts.gate_up_proj_bias", [32, 5760], unnamed],
      [
        "model.layers.0.mlp.experts.down_proj_blocks",
        [32, 2880, 90, 16],
        "U8 is not a float that bitsandbytes quantizes",
        "U8",
      ],
      ["model.layers.0.mlp.router.weight", [32, 2880], skipped("router")],
      ["model.layers.0.self_attn.sinks", [64], unnamed],
      ["model.layers.0.self_attn.q_proj.weight", [4096, 2880], yes],
      ["lm_head.weight", [201088, 2880], skipped("lm_head")],
    ],
  },
  {
    model: "Llama 4 (fused experts)",
    config: { model_type: "llama4", tie_word_embeddings: false },
    skipModules: ["lm_head", "router"],
    rows: [
      ["language_model.model.layers.0.feed_forward.experts.gate_up_proj", [16, 5120, 16384], unnamedExperts],
      ["language_model.model.layers.0.feed_forward.experts.down_proj", [16, 8192, 5120], unnamedExperts],
      ["language_model.model.layers.0.feed_forward.router.weight", [16, 5120], skipped("router")],
      ["language_model.model.layers.0.feed_forward.shared_expert.gate_proj.weight", [8192, 5120], yes],
      ["language_model.lm_head.weight", [202048, 5120], skipped("lm_head")],
      ["vision_model.patch_embedding.linear.weight", [1408, 588], yes],
      ["vision_model.positional_embedding_vlm", [577, 1408], unnamed],
    ],
  },
  {
    model: "GPT-2",
    config: { model_type: "gpt2" },
    skipModules: ["lm_head"],
    rows: [
      ["wte.weight", [50257, 768], embedding],
      ["wpe.weight", [1024, 768], embedding],
      ["h.0.ln_1.weight", [768], vector],
      ["h.0.attn.bias", [1, 1, 1024, 1024], unnamed],
      ["h.0.attn.c_attn.weight", [768, 2304], conv1d],
      ["h.0.attn.c_attn.bias", [2304], unnamed],
      ["h.0.attn.c_proj.weight", [768, 768], conv1d],
      ["h.0.mlp.c_fc.weight", [768, 3072], conv1d],
      ["h.0.mlp.c_proj.weight", [3072, 768], conv1d],
    ],
  },
  {
    model: "GPT-2 without config",
    config: {},
    skipModules: ["lm_head"],
    rows: [
      ["transformer.wte.weight", [50257, 768], embedding],
      ["transformer.h.0.attn.c_attn.weight", [768, 2304], conv1d],
      ["transformer.h.0.attn.c_proj.weight", [768, 768], conv1d],
      ["transformer.h.0.mlp.c_fc.weight", [768, 3072], conv1d],
      ["transformer.h.0.mlp.c_proj.weight", [3072, 768], conv1d],
    ],
  },
  {
    model: "Qwen 1 without config (c_attn is a linear layer)",
    config: {},
    skipModules: ["lm_head"],
    rows: [
      ["transformer.h.0.attn.c_attn.weight", [6144, 2048], yes],
      ["transformer.h.0.attn.c_proj.weight", [2048, 2048], yes],
      ["lm_head.weight", [151936, 2048], skipped("lm_head")],
    ],
  },
  {
    model: "BERT",
    config: { model_type: "bert" },
    skipModules: ["cls.predictions.decoder"],
    rows: [
      ["bert.embeddings.word_embeddings.weight", [30522, 768], embedding],
      ["bert.embeddings.position_embeddings.weight", [512, 768], embedding],
      ["bert.embeddings.token_type_embeddings.weight", [2, 768], embedding],
      ["bert.embeddings.position_ids", [1, 512], "I64 is not a float that bitsandbytes quantizes", "I64"],
      ["bert.embeddings.LayerNorm.gamma", [768], unnamed],
      ["bert.encoder.layer.0.attention.self.query.weight", [768, 768], yes],
      ["bert.encoder.layer.0.output.dense.weight", [768, 3072], yes],
      ["bert.pooler.dense.weight", [768, 768], yes],
      ["cls.predictions.transform.dense.weight", [768, 768], yes],
      ["cls.predictions.decoder.weight", [30522, 768], skipped("cls.predictions.decoder")],
      ["cls.seq_relationship.weight", [2, 768], yes],
    ],
  },
  {
    model: "BERT, decoder tied and not stored",
    config: { model_type: "bert" },
    skipModules: ["cls.predictions.decoder"],
    rows: [
      ["bert.pooler.dense.weight", [768, 768], yes],
      ["cls.predictions.transform.dense.weight", [768, 768], yes],
    ],
  },
  {
    model: "T5",
    config: { model_type: "t5", tie_word_embeddings: false },
    skipModules: ["lm_head", "wo"],
    rows: [
      ["shared.weight", [32128, 768], embedding],
      ["encoder.embed_tokens.weight", [32128, 768], embedding],
      ["encoder.block.0.layer.0.SelfAttention.q.weight", [768, 768], yes],
      ["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [32, 12], embedding],
      ["encoder.block.0.layer.1.DenseReluDense.wi_0.weight", [2048, 768], yes],
      ["encoder.block.0.layer.1.DenseReluDense.wo.weight", [768, 2048], skipped("wo")],
      ["encoder.final_layer_norm.weight", [768], vector],
      ["lm_head.weight", [32128, 768], skipped("lm_head")],
    ],
  },
  {
    model: "Whisper",
    config: { model_type: "whisper" },
    skipModules: ["proj_out"],
    rows: [
      ["model.encoder.conv1.weight", [384, 80, 3], "3-dimensional, not a matrix"],
      ["model.encoder.conv2.weight", [384, 384, 3], "3-dimensional, not a matrix"],
      ["model.encoder.embed_positions.weight", [1500, 384], embedding],
      ["model.decoder.embed_positions.weight", [448, 384], embedding],
      ["model.decoder.embed_tokens.weight", [51865, 384], embedding],
      ["model.decoder.layers.0.encoder_attn.q_proj.weight", [384, 384], yes],
      ["model.decoder.layers.0.fc1.weight", [1536, 384], yes],
      ["proj_out.weight", [51865, 384], skipped("proj_out")],
    ],
  },
  {
    model: "Whisper, output tied and not stored",
    config: { model_type: "whisper" },
    skipModules: ["proj_out"],
    rows: [["model.decoder.layers.0.fc1.weight", [1536, 384], yes]],
  },
  {
    model: "Phi-3",
    config: { model_type: "phi3", tie_word_embeddings: false },
    skipModules: ["lm_head"],
    rows: [
      ["model.embed_tokens.weight", [32064, 3072], embedding],
      ["model.layers.0.self_attn.qkv_proj.weight", [9216, 3072], yes],
      ["model.layers.0.mlp.gate_up_proj.weight", [16384, 3072], yes],
      ["lm_head.weight", [32064, 3072], skipped("lm_head")],
    ],
  },
  {
    model: "GPT-NeoX",
    config: { model_type: "gpt_neox", tie_word_embeddings: false },
    skipModules: ["embed_out"],
    rows: [
      ["gpt_neox.embed_in.weight", [50304, 512], embedding],
      ["gpt_neox.layers.0.attention.query_key_value.weight", [1536, 512], yes],
      ["gpt_neox.layers.0.attention.masked_bias", [], unnamed],
      ["embed_out.weight", [50304, 512], skipped("embed_out")],
    ],
  },
  {
    model: "linear layers with `embedding` in their names",
    config: { model_type: "albert" },
    skipModules: ["lm_head"],
    rows: [
      ["albert.encoder.embedding_hidden_mapping_in.weight", [768, 128], yes],
      ["model.embed_vision.embedding_projection.weight", [2048, 2048], yes],
    ],
  },
  {
    model: "other dtypes",
    config: {},
    skipModules: ["lm_head"],
    rows: [
      ["a.f16.weight", [8, 8], yes, "F16"],
      ["a.f32.weight", [8, 8], yes, "F32"],
      ["a.f64.weight", [8, 8], "F64 is not a float that bitsandbytes quantizes", "F64"],
      ["a.e4m3.weight", [8, 8], "F8_E4M3 is not a float that bitsandbytes quantizes", "F8_E4M3"],
      ["a.empty.weight", [0, 8], "empty", "F32"],
    ],
  },
];
