/**
 * The functions of halfbyte.h as TypeScript sees them. This file and probe-child.cjs are the only ones that speak koffi. Pointers are BigInt addresses;
 * a typed array in place of a pointer is passed by its address, without a copy.
 */
import { type KoffiFunc, type LibraryHandle, load, pointer, struct } from "koffi";

/** An address in the memory of a device, or of a queue. */
export type Pointer = bigint;
/** A number of halfbyte.h's hb_status. */
export type Status = number;
/** The number of a queue entry. */
export type Entry = number | bigint;

type Optional = Pointer | null;

/** hb_step */
export interface NativeStep {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly beta3: number;
  readonly alpha: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_scale: number;
  readonly max_unorm: number;
  readonly step: number;
  readonly skip_zeros: number;
}

/** What may be asked of any library before it is trusted. */
export interface IdentityFunctions {
  hb_abi_version(): number;
  hb_build_info(): string;
}

export interface QueueFunctions {
  hb_queue_create(device: number, threads: number, queue: [Optional]): Status;
  hb_queue_destroy(queue: Pointer): void;
  hb_queue_allow_inline(queue: Pointer, allowed: number): void;
  hb_queue_last(queue: Pointer): Entry;
  hb_queue_done(queue: Pointer, entry: Entry): number;
  /** Blocks: `async` runs it on a thread of its own. */
  readonly hb_queue_wait: KoffiFunc<(queue: Pointer, entry: Entry) => Status>;
  hb_alloc(queue: Pointer, bytes: number, zeroed: number): Optional;
  hb_free(queue: Pointer, tensor: Pointer): void;
  hb_memory(queue: Pointer, used: BigUint64Array, pooled: BigUint64Array): void;
}

/** Sizes of packed weights in bytes; 0: the library has no packed form for the shape. */
export interface PackingFunctions {
  hb_pack_4bit_bytes(n: number, k: number, blockSize: number): number;
  hb_pack_int8_bytes(n: number, k: number): number;
}

/** Calls that enqueue work and return a status. */
export interface EnqueueFunctions {
  hb_pack_4bit(
    queue: Pointer,
    codes: Pointer,
    absmax: Pointer,
    blockSize: number,
    n: number,
    k: number,
    packed: Pointer,
  ): Status;
  hb_pack_int8(queue: Pointer, weight: Pointer, n: number, k: number, packed: Pointer): Status;
  hb_write(queue: Pointer, tensor: Pointer, offset: number, host: Uint8Array, bytes: number, adopt: number): Status;
  hb_read(queue: Pointer, tensor: Pointer, offset: number, host: Uint8Array, bytes: number): Status;
  hb_quantize_4bit(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    size: number,
    hostCode: Float32Array,
    format: number,
    blockSize: number,
    profile: number,
    codes: Pointer,
    absmax: Pointer,
    fault: Optional,
  ): Status;
  hb_dequantize_4bit(
    queue: Pointer,
    codes: Pointer,
    absmax: Pointer,
    code: Pointer,
    size: number,
    blockSize: number,
    out: Pointer,
    dtype: number,
  ): Status;
  hb_quantize_blockwise(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    size: number,
    code: Pointer,
    blockSize: number,
    profile: number,
    codes: Pointer,
    absmax: Pointer,
    fault: Optional,
  ): Status;
  hb_dequantize_blockwise(
    queue: Pointer,
    codes: Pointer,
    absmax: Pointer,
    code: Pointer,
    size: number,
    blockSize: number,
    offset: number,
    out: Pointer,
    dtype: number,
  ): Status;
  hb_gemm_4bit(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    codes: Pointer,
    absmax: Optional,
    packed: Optional,
    code: Pointer,
    blockSize: number,
    accuracy: number,
    bias: Optional,
    biasDtype: number,
    m: number,
    n: number,
    k: number,
    out: Pointer,
  ): Status;
  hb_gemm(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    weight: Pointer,
    weightDtype: number,
    bias: Optional,
    biasDtype: number,
    m: number,
    n: number,
    k: number,
    transpose: number,
    out: Pointer,
  ): Status;
  hb_int8_vectorwise_quant(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    rows: number,
    k: number,
    threshold: number,
    q: Pointer,
    rowStats: Pointer,
    outlierColumns: Pointer,
    fault: Optional,
  ): Status;
  hb_int8_vectorwise_dequant(
    queue: Pointer,
    q: Pointer,
    rowStats: Pointer,
    rows: number,
    k: number,
    out: Pointer,
  ): Status;
  hb_int8_linear_matmul(
    queue: Pointer,
    a: Pointer,
    b: Pointer,
    packedB: Optional,
    m: number,
    n: number,
    k: number,
    out: Pointer,
  ): Status;
  hb_int8_mm_dequant(
    queue: Pointer,
    a: Pointer,
    rowStats: Pointer,
    colStats: Pointer,
    bias: Optional,
    biasDtype: number,
    m: number,
    n: number,
    profile: number,
    out: Pointer,
    dtype: number,
  ): Status;
  hb_int8_mixed_scaled_mm(
    queue: Pointer,
    x: Optional,
    a: Pointer,
    b: Pointer,
    packedB: Optional,
    rowStats: Pointer,
    colStats: Pointer,
    outlierColumns: Optional,
    bias: Optional,
    biasDtype: number,
    m: number,
    n: number,
    k: number,
    profile: number,
    out: Pointer,
    dtype: number,
  ): Status;
  hb_optimizer_update_32bit(
    queue: Pointer,
    optimizer: number,
    param: Pointer,
    grad: Pointer,
    paramDtype: number,
    gradDtype: number,
    state1: Pointer,
    state2: Optional,
    size: number,
    step: NativeStep,
    profile: number,
    trust: number,
    updateNorm: Pointer,
  ): Status;
  hb_optimizer_update_8bit_blockwise(
    queue: Pointer,
    optimizer: number,
    param: Pointer,
    grad: Pointer,
    paramDtype: number,
    gradDtype: number,
    state1: Pointer,
    state2: Optional,
    code1: Pointer,
    code2: Optional,
    absmax1: Pointer,
    absmax2: Optional,
    size: number,
    blockSize: number,
    step: NativeStep,
    profile: number,
  ): Status;
}

export type NativeFunctions = QueueFunctions & PackingFunctions & EnqueueFunctions;

// C types. Pointers are all untyped: koffi would otherwise convert arrays element by element.
const address = "void *";
const pointerOut = "_Out_ void **";
const u64 = "uint64_t";
const u32 = "uint32_t";
const i32 = "int32_t";
const float = "float";
// Without names: two copies of this module may share one koffi.
const step = struct({
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
});
const stepPointer = pointer(step);

type Type = string | typeof stepPointer;
type Signature = readonly [result: string, parameters: readonly Type[]];

const identitySignatures: Readonly<Record<keyof IdentityFunctions, Signature>> = {
  hb_abi_version: [u32, []],
  hb_build_info: ["const char *", []],
};

/** In the order of the header. */
const functionSignatures: Readonly<Record<keyof NativeFunctions, Signature>> = {
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

export const signatures = { ...identitySignatures, ...functionSignatures };

/** A library in this process; it is never unloaded. */
export interface OpenedLibrary {
  readonly identity: IdentityFunctions;
  /** Throws when one is missing. */
  functions(): NativeFunctions;
}

/** Throws with the loader's own words, or when this is no library of ours. */
export function openLibrary(path: string): OpenedLibrary {
  const handle = load(path);
  return { identity: bind(handle, identitySignatures), functions: () => bind(handle, functionSignatures) };
}

function bind<F extends object>(handle: LibraryHandle, wanted: Readonly<Record<keyof F, Signature>>): F {
  const entries = Object.entries<Signature>(wanted).map(([name, [result, parameters]]) => [
    name,
    handle.func(name, result, [...parameters]),
  ]);
  return Object.fromEntries(entries) as F;
}
