/**
 * The functions of halfbyte.h as TypeScript sees them, whatever calls them: ffi.ts those of a native library, wasm-functions.ts those of a
 * WebAssembly module. Pointers are BigInt addresses; a typed array stands for what the header calls host memory.
 */

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

/** Blocks; `async` calls back when the entry is done, and does not. */
export interface WaitFunction {
  (queue: Pointer, entry: Entry): Status;
  async(queue: Pointer, entry: Entry, done: (thrown: Error | null, result: Status) => void): void;
}

export interface QueueFunctions {
  hb_queue_create(device: number, threads: number, queue: [Optional]): Status;
  hb_queue_destroy(queue: Pointer): void;
  hb_queue_allow_inline(queue: Pointer, allowed: number): void;
  hb_queue_last(queue: Pointer): Entry;
  hb_queue_done(queue: Pointer, entry: Entry): number;
  readonly hb_queue_wait: WaitFunction;
  hb_alloc(queue: Pointer, bytes: number, zeroed: number): Optional;
  hb_free(queue: Pointer, tensor: Pointer): void;
  hb_memory(queue: Pointer, used: BigUint64Array, pooled: BigUint64Array): void;
}

/** Weights whose scales are codes themselves, decoded on the way. */
export interface NestedFunctions {
  hb_dequantize_4bit_nested(
    queue: Pointer,
    codes: Pointer,
    absmax: Pointer,
    nestedAbsmax: Pointer,
    nestedCode: Pointer,
    nestedBlockSize: number,
    offset: number,
    code: Pointer,
    size: number,
    blockSize: number,
    out: Pointer,
    dtype: number,
  ): Status;
  hb_gemm_4bit_nested(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    codes: Pointer,
    absmax: Pointer,
    nestedAbsmax: Pointer,
    nestedCode: Pointer,
    nestedBlockSize: number,
    offset: number,
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
}

/** What a library may leave out. */
export interface OptionalFunctions extends Partial<NestedFunctions> {
  /** The device's own number of the latest failure; 0: none. */
  hb_last_error?(): number;
  /** Memory of the host for optimizer states. */
  hb_alloc_paged?(queue: Pointer, bytes: number, zeroed: number): Optional;
  hb_look_at?(queue: Pointer, foreign: Pointer, bytes: number, found: Int32Array): Status;
  hb_take_over?(queue: Pointer, stream: Pointer): Status;
  hb_hand_over?(queue: Pointer, stream: Pointer): Status;
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
  hb_quantization_error(
    queue: Pointer,
    x: Pointer,
    dtype: number,
    size: number,
    codes: Pointer,
    absmax: Pointer,
    code: Optional,
    entries: number,
    blockSize: number,
    sums: Pointer,
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

export type RequiredFunctions = QueueFunctions & PackingFunctions & EnqueueFunctions;
export type NativeFunctions = RequiredFunctions & OptionalFunctions;
