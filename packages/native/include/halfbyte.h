/*
 * halfbyte.h — the one interface of every native halfbyte library: CPU, WebAssembly and CUDA.
 *
 * A library is one device with in-order queues. An operation's call checks nothing that TypeScript has checked already (shapes,
 * sizes, dtypes), enqueues and returns; hb_queue_wait is the only call that waits. Pointers named as tensors are memory of the
 * device, from hb_alloc; pointers named host are read before the call returns. Element counts are 64-bit.
 *
 * No Node headers, no C++ in the interface. A change that breaks callers raises HB_ABI_VERSION.
 */
#ifndef HALFBYTE_H
#define HALFBYTE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define HB_API __declspec(dllexport)
#else
#define HB_API __attribute__((visibility("default")))
#endif
/* A function that a library may leave out: whoever calls it looks whether it is there. */
#define HB_OPTIONAL HB_API

#define HB_ABI_VERSION 3

/* Status of a call: 0 or one of these. */
typedef int32_t hb_status;
#define HB_OK 0
#define HB_OUT_OF_MEMORY 1
#define HB_UNSUPPORTED 2
#define HB_DEVICE_LOST 3
#define HB_FAILED 4

/* Element types of float tensors. */
typedef int32_t hb_dtype;
#define HB_FLOAT32 0
#define HB_FLOAT16 1
#define HB_BFLOAT16 2

/* Numeric profiles. Profile cpu of the contract exists in the reference kernels only. */
typedef int32_t hb_profile;
#define HB_REFERENCE 0
#define HB_CUDA 1

/* How a 4-bit code is decided: by the table alone, or by a rule of its own (profile cuda has one for FP4). */
typedef int32_t hb_format;
#define HB_TABLE 0
#define HB_NF4 1
#define HB_FP4 2

/* How a product with a 4-bit weight computes: f32 throughout, 16-bit integers, or 8-bit integers. A library may be more accurate than asked. */
typedef int32_t hb_accuracy;
#define HB_EXACT 0
#define HB_FAST 1
#define HB_TURBO 2

typedef int32_t hb_optimizer;
#define HB_ADAM 0 /* adamw and lamb too: they differ in options alone */
#define HB_ADEMAMIX 1
#define HB_MOMENTUM 2 /* lars too */
#define HB_LION 3
#define HB_RMSPROP 4
#define HB_ADAGRAD 5

/* Everything step-dependent; see Step in core/src/kernels.ts. */
typedef struct hb_step {
  double lr, beta1, beta2, beta3, alpha, eps, weight_decay, grad_scale, max_unorm;
  int64_t step;
  int32_t skip_zeros;
} hb_step;

typedef struct hb_queue hb_queue;

/* ── The library ── */
HB_API uint32_t hb_abi_version(void);
/* JSON: backend, version, compiler, isas compiled, isa chosen. Lives as long as the library. */
HB_API const char *hb_build_info(void);
/* The number that the device's own interface gave the latest failure in this process (CUDA: its cudaError_t); 0: none. Libraries of
 * devices that number their errors have it, so that a status can be explained. Asking changes nothing. */
HB_OPTIONAL int32_t hb_last_error(void);

/* ── Queues and memory ── */
/* threads 0: as many as the machine has. The pool is one per process and shared by all queues. */
HB_API hb_status hb_queue_create(int32_t device, int32_t threads, hb_queue **out);
/* Waits for the work, joins the pool with the last queue. */
HB_API void hb_queue_destroy(hb_queue *queue);
/* Whether small operations may run on the calling thread when the queue is empty. */
HB_API void hb_queue_allow_inline(hb_queue *queue, int32_t allowed);
/* The number of the last entry; entries count from 1. */
HB_API uint64_t hb_queue_last(hb_queue *queue);
/* 1 when the entry is done. */
HB_API int32_t hb_queue_done(hb_queue *queue, uint64_t entry);
/* Blocks until the entry is done: call it on a thread of its own. Returns what became of this entry; others are not blamed for it. Entry 0 is the
 * queue itself: HB_DEVICE_LOST once its device is lost; it does not block. */
HB_API hb_status hb_queue_wait(hb_queue *queue, uint64_t entry);

/* 64-byte aligned, padded with zeros to a multiple of 64 bytes; null when there is no memory, or the device is lost. */
HB_API void *hb_alloc(hb_queue *queue, uint64_t bytes, int32_t zeroed);
/* Memory of the host that stands for the device's: for optimizer states that the device has no room for. hb_free, hb_write and hb_read take it;
 * of the operations only the optimizer updates do, as state1 and state2, with the same results to the bit. Null when there is no memory. */
HB_OPTIONAL void *hb_alloc_paged(hb_queue *queue, uint64_t bytes, int32_t zeroed);
/* Takes effect in queue order. */
HB_API void hb_free(hb_queue *queue, void *tensor);
/* Bytes in use and bytes kept for reuse. */
HB_API void hb_memory(hb_queue *queue, uint64_t *host_used, uint64_t *host_pooled);
/* Copies host bytes before it returns, or when the queue gets there if adopt: then they must stay alive until that entry is done. */
HB_API hb_status hb_write(hb_queue *queue, void *tensor, uint64_t offset, const void *host, uint64_t bytes, int32_t adopt);
/* Enqueues a copy to host memory, which must stay alive until the entry is done. */
HB_API hb_status hb_read(hb_queue *queue, const void *tensor, uint64_t offset, void *host, uint64_t bytes);

/* ── Memory of other libraries ──
 * A library whose memory others in the process use too (CUDA) has all three. Their memory may stand wherever a tensor may: it has no padding, and
 * hb_free leaves it alone. A stream is theirs (CUDA: a cudaStream_t; null: the device's default stream). */

/* What lies at an address, in *found. */
#define HB_USABLE 0 /* memory of the queue's device, aligned to 16 bytes */
#define HB_UNKNOWN 1 /* nothing that the device knows: host memory mostly */
#define HB_PINNED_HOST 2
#define HB_MANAGED 3
#define HB_OTHER_DEVICE 4
#define HB_MISALIGNED 5
#define HB_TOO_LONG 6 /* it begins in memory of the device and ends outside of it */
HB_OPTIONAL hb_status hb_look_at(hb_queue *queue, const void *foreign, uint64_t bytes, int32_t *found);
/* What is enqueued here from now on comes after what was enqueued on the stream so far. */
HB_OPTIONAL hb_status hb_take_over(hb_queue *queue, void *stream);
/* What is enqueued on the stream from now on comes after what was enqueued here so far. */
HB_OPTIONAL hb_status hb_hand_over(hb_queue *queue, void *stream);

/* ── Packed weights ──
 * A copy of a weight in the order in which this library's products read it. How it looks is up to the library and the machine: it is never
 * stored or exported. Products take it beside the weight itself; null: there is none. */

/* 0: the library has no packed form for this shape. */
HB_API uint64_t hb_pack_4bit_bytes(uint64_t n, uint64_t k, uint32_t block_size);
HB_API hb_status hb_pack_4bit(hb_queue *queue, const uint8_t *codes, const float *absmax, uint32_t block_size, uint64_t n, uint64_t k,
                              void *packed);
HB_API uint64_t hb_pack_int8_bytes(uint64_t n, uint64_t k);
HB_API hb_status hb_pack_int8(hb_queue *queue, const int8_t *weight, uint64_t n, uint64_t k, void *packed);

/* ── Operations: names and semantics of core/src/kernels.ts ── */

/* fault: one int64 of the device, set to the lowest flat index of a value that is not finite, else −1; null: do not look. */
HB_API hb_status hb_quantize_4bit(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *host_code, hb_format format,
                                  uint32_t block_size, hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault);
/* absmax: f32 block scales. host_code has 16 entries, in code order. */
HB_API hb_status hb_dequantize_4bit(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size,
                                    uint32_t block_size, void *out, hb_dtype dtype);
/* hb_dequantize_4bit and, below, hb_gemm_4bit of a weight whose scales are codes themselves, decoded on the way: of block b
 * nested_code[absmax[b]]·nested_absmax[b / nested_block_size] (+ offset when it is not 0), each operation rounded once. nested_block_size is a power
 * of two. Without these, callers decode the scales beforehand. */
HB_OPTIONAL hb_status hb_dequantize_4bit_nested(hb_queue *queue, const uint8_t *codes, const uint8_t *absmax, const float *nested_absmax,
                                                const float *nested_code, uint32_t nested_block_size, float offset, const float *code,
                                                uint64_t size, uint32_t block_size, void *out, hb_dtype dtype);
HB_API hb_status hb_quantize_blockwise(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *code,
                                       uint64_t block_size, hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault);
/* out = code[q]·absmax (+ offset when it is not 0). */
HB_API hb_status hb_dequantize_blockwise(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size,
                                         uint64_t block_size, float offset, void *out, hb_dtype dtype);
/* How far a weight is from x, both of `size` elements: a row of HB_ERROR_COLUMNS figures for each HB_ERROR_SEGMENT elements, see errorSums in
 * core/src/kernels.ts. A code of 16 entries: codes are nibbles; of 256: bytes; null: int8 rows of block_size elements. */
#define HB_ERROR_SEGMENT 4096
#define HB_ERROR_COLUMNS 6
HB_API hb_status hb_quantization_error(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const void *codes, const float *absmax,
                                       const float *code, uint32_t entries, uint64_t block_size, float *sums);
/* out[m,n] = x[m,k]·W[n,k]ᵀ + bias; bias and packed may be null. absmax: f32 block scales of the flat weight. codes and absmax may be null when
 * packed is given. */
HB_API hb_status hb_gemm_4bit(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const float *absmax, const void *packed,
                              const float *code, uint32_t block_size, hb_accuracy accuracy, const void *bias, hb_dtype bias_dtype, uint64_t m,
                              uint64_t n, uint64_t k, void *out);
HB_OPTIONAL hb_status hb_gemm_4bit_nested(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const uint8_t *absmax,
                                          const float *nested_absmax, const float *nested_code, uint32_t nested_block_size, float offset,
                                          const float *code, uint32_t block_size, hb_accuracy accuracy, const void *bias, hb_dtype bias_dtype,
                                          uint64_t m, uint64_t n, uint64_t k, void *out);
/* transpose 0: out[m,n] = x[m,k]·W[n,k]ᵀ; 1: out[m,k] = x[m,n]·W[n,k]. */
HB_API hb_status hb_gemm(hb_queue *queue, const void *x, hb_dtype dtype, const void *weight, hb_dtype weight_dtype, const void *bias,
                         hb_dtype bias_dtype, uint64_t m, uint64_t n, uint64_t k, int32_t transpose, void *out);
HB_API hb_status hb_int8_vectorwise_quant(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t rows, uint64_t k, float threshold, int8_t *q,
                                          float *row_stats, uint8_t *outlier_columns, int64_t *fault);
HB_API hb_status hb_int8_vectorwise_dequant(hb_queue *queue, const int8_t *q, const float *row_stats, uint64_t rows, uint64_t k, float *out);
HB_API hb_status hb_int8_linear_matmul(hb_queue *queue, const int8_t *a, const int8_t *b, const void *packed_b, uint64_t m, uint64_t n, uint64_t k,
                                       int32_t *out);
HB_API hb_status hb_int8_mm_dequant(hb_queue *queue, const int32_t *a, const float *row_stats, const float *col_stats, const void *bias,
                                    hb_dtype bias_dtype, uint64_t m, uint64_t n, hb_profile profile, void *out, hb_dtype dtype);
/* x and outlier_columns may be null: then this is int8ScaledMm. */
HB_API hb_status hb_int8_mixed_scaled_mm(hb_queue *queue, const void *x, const int8_t *a, const int8_t *b, const void *packed_b,
                                         const float *row_stats, const float *col_stats, const uint8_t *outlier_columns, const void *bias, hb_dtype bias_dtype,
                                         uint64_t m, uint64_t n, uint64_t k, hb_profile profile, void *out, hb_dtype dtype);
/* trust: whether max_unorm scales this optimizer. state2 may be null. */
HB_API hb_status hb_optimizer_update_32bit(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                           hb_dtype grad_dtype, float *state1, float *state2, uint64_t size, const hb_step *host_step,
                                           hb_profile profile, int32_t trust, float *update_norm);
HB_API hb_status hb_optimizer_update_8bit_blockwise(hb_queue *queue, hb_optimizer optimizer, void *param, const void *grad, hb_dtype param_dtype,
                                                    hb_dtype grad_dtype, uint8_t *state1, uint8_t *state2, const float *code1, const float *code2,
                                                    float *absmax1, float *absmax2, uint64_t size, uint64_t block_size,
                                                    const hb_step *host_step, hb_profile profile);

#ifdef __cplusplus
}
#endif
#endif
