/*
 * halfbyte_wasm.h — what a WebAssembly library has beside halfbyte.h.
 *
 * It has one thread, the caller's: entries that do not run when they are enqueued wait until hb_queue_step() is called. hb_queue_wait() steps until
 * the entry is done. A call may end in a trap when memory runs out; hb_queue_recover() then says what that means.
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
/* Runs the first entry for about this long, at most to its end; 1 when work is left in the queue. */
HB_API int32_t hb_queue_step(hb_queue *queue, double nanoseconds);
/* After a trap. HB_OK: it was an entry that failed, and hb_queue_wait() will say so. Else: the call itself failed, with this status. */
HB_API hb_status hb_queue_recover(hb_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
