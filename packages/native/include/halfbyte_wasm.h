/*
 * halfbyte_wasm.h — what a WebAssembly library has beside halfbyte.h.
 *
 * It has one thread, the caller's: entries that do not run when they are enqueued wait until hb_queue_step() is called, and hb_queue_wait() is for
 * entries that are done. A call may end in a trap when memory runs out; hb_queue_recover() then says what that means.
 */
#ifndef HALFBYTE_WASM_H
#define HALFBYTE_WASM_H

#include "halfbyte.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where callers put what halfbyte.h calls host memory: tables, hb_step, pointers to results. */
#define HB_HOST_MEMORY_BYTES 256
HB_API void *hb_host_memory(void);
/* What a step leaves behind. */
#define HB_IDLE 0
#define HB_WORKING 1
#define HB_HELD 2
/* Runs the first entry for about this long, at most to its end. */
HB_API int32_t hb_queue_step(hb_queue *queue, double nanoseconds);
/* An entry for what only the caller can do, such as copying to its own memory: when it is the first one, the queue is held until it is passed. */
HB_API hb_status hb_queue_hold(hb_queue *queue);
HB_API void hb_queue_pass(hb_queue *queue);
/* After a trap. HB_OK: it was an entry that failed, and hb_queue_wait() will say so. Else: the call itself failed, with this status. */
HB_API hb_status hb_queue_recover(hb_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
