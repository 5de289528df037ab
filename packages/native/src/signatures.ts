/** The C types of halfbyte.h, function by function; a test holds them to the header. */
import type { IdentityFunctions, NativeStep, OptionalFunctions, RequiredFunctions } from "./functions.js";

// C types. Pointers are all untyped: koffi would otherwise convert arrays element by element.
const address = "void *";
const pointerOut = "_Out_ void **";
const u64 = "uint64_t";
const u32 = "uint32_t";
const i32 = "int32_t";
const float = "float";
const stepPointer = "hb_step *";

export type Signature = readonly [result: string, parameters: readonly string[]];

export const identitySignatures: Readonly<Record<keyof IdentityFunctions, Signature>> = {
  hb_abi_version: [u32, []],
  hb_build_info: ["const char *", []],
};

/** HB_OPTIONAL ones. */
export const optionalSignatures: Readonly<Record<keyof OptionalFunctions, Signature>> = {
  hb_last_error: [i32, []],
  hb_alloc_paged: [address, [address, u64, i32]],
  hb_look_at: [i32, [address, address, u64, address]],
  hb_take_over: [i32, [address, address]],
  hb_hand_over: [i32, [address, address]],
  hb_dequantize_4bit_nested: [
    i32,
    [address, address, address, address, address, u32, float, address, u64, u32, address, i32],
  ],
  hb_gemm_4bit_nested: [
    i32,
    [
      address,
      address,
      i32,
      address,
      address,
      address,
      address,
      u32,
      float,
      address,
      u32,
      i32,
      address,
      i32,
      u64,
      u64,
      u64,
      address,
    ],
  ],
};

/** In the order of the header. */
export const functionSignatures: Readonly<Record<keyof RequiredFunctions, Signature>> = {
  hb_queue_create: [i32, [i32, i32, pointerOut]],
  hb_queue_destroy: ["void", [address]],
  hb_queue_allow_inline: ["void", [address, i32]],
  hb_queue_last: [u64, [address]],
  hb_queue_done: [i32, [address, u64]],
  hb_queue_wait: [i32, [address, u64]],
  hb_alloc: [address, [address, u64, i32]],
  hb_free: ["void", [address, address]],
  hb_memory: ["void", [address, address, address]],
  hb_write: [i32, [address, address, u64, address, u64, i32]],
  hb_read: [i32, [address, address, u64, address, u64]],
  hb_pack_4bit_bytes: [u64, [u64, u64, u32]],
  hb_pack_4bit: [i32, [address, address, address, u32, u64, u64, address]],
  hb_pack_int8_bytes: [u64, [u64, u64]],
  hb_pack_int8: [i32, [address, address, u64, u64, address]],
  hb_quantize_4bit: [i32, [address, address, i32, u64, address, i32, u32, i32, address, address, address]],
  hb_dequantize_4bit: [i32, [address, address, address, address, u64, u32, address, i32]],
  hb_quantize_blockwise: [i32, [address, address, i32, u64, address, u64, i32, address, address, address]],
  hb_dequantize_blockwise: [i32, [address, address, address, address, u64, u64, float, address, i32]],
  hb_quantization_error: [i32, [address, address, i32, u64, address, address, address, u32, u64, address]],
  hb_gemm_4bit: [
    i32,
    [address, address, i32, address, address, address, address, u32, i32, address, i32, u64, u64, u64, address],
  ],
  hb_gemm: [i32, [address, address, i32, address, i32, address, i32, u64, u64, u64, i32, address]],
  hb_int8_vectorwise_quant: [i32, [address, address, i32, u64, u64, float, address, address, address, address]],
  hb_int8_vectorwise_dequant: [i32, [address, address, address, u64, u64, address]],
  hb_int8_linear_matmul: [i32, [address, address, address, address, u64, u64, u64, address]],
  hb_int8_mm_dequant: [i32, [address, address, address, address, address, i32, u64, u64, i32, address, i32]],
  hb_int8_mixed_scaled_mm: [
    i32,
    [
      address,
      address,
      address,
      address,
      address,
      address,
      address,
      address,
      address,
      i32,
      u64,
      u64,
      u64,
      i32,
      address,
      i32,
    ],
  ],
  hb_optimizer_update_32bit: [
    i32,
    [address, i32, address, address, i32, i32, address, address, u64, stepPointer, i32, i32, address],
  ],
  hb_optimizer_update_8bit_blockwise: [
    i32,
    [
      address,
      i32,
      address,
      address,
      i32,
      i32,
      address,
      address,
      address,
      address,
      address,
      address,
      u64,
      u64,
      stepPointer,
      i32,
    ],
  ],
};

/** Fields of hb_step, in order. */
export const stepFields: Readonly<Record<keyof NativeStep, string>> = {
  lr: "double",
  beta1: "double",
  beta2: "double",
  beta3: "double",
  alpha: "double",
  eps: "double",
  weight_decay: "double",
  grad_scale: "double",
  max_unorm: "double",
  step: "int64_t",
  skip_zeros: i32,
};

export const signatures = { ...identitySignatures, ...functionSignatures };
