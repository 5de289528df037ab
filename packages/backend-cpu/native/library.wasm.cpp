// What the WebAssembly build has beside halfbyte.h, and what stands in for the C++ runtime there.
//
// The build ignores exceptions (-fignore-exceptions): a throw traps, which the caller in JavaScript sees as an error. It then asks hb_queue_recover()
// what to make of it. Only memory runs out in this library.
#include <cstdlib>
#include <new>

#include "enqueue.h"
#include "halfbyte_wasm.h"

namespace {

bool out_of_memory = false;

[[noreturn]] void stop_without_memory() {
  out_of_memory = true;
  __builtin_trap();
}

alignas(16) unsigned char host_memory[HB_HOST_MEMORY_BYTES];

}  // namespace

// ── The runtime ──

void *operator new(std::size_t bytes) {
  if (void *const block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  stop_without_memory();
}
void *operator new[](std::size_t bytes) { return operator new(bytes); }
void operator delete(void *block) noexcept { std::free(block); }
void operator delete[](void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }
void operator delete[](void *block, std::size_t) noexcept { std::free(block); }

extern "C" {
// Every throw of this library is a std::bad_alloc.
void *__cxa_allocate_exception(std::size_t) { stop_without_memory(); }
[[noreturn]] void __cxa_throw(void *, void *, void *) { stop_without_memory(); }
}

// What the C++ library calls when it gives up: its own versions print, which would import a file system.
_LIBCPP_BEGIN_NAMESPACE_STD
void __libcpp_verbose_abort(const char *, ...) noexcept { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD
extern "C" void __abort_message(const char *, ...) { __builtin_trap(); }

// ── The interface ──

extern "C" {

void *hb_host_memory(void) { return host_memory; }

int32_t hb_queue_step(hb_queue *queue, double nanoseconds) { return queue->step(nanoseconds); }

hb_status hb_queue_hold(hb_queue *queue) {
  queue->hold();
  return HB_OK;
}

void hb_queue_pass(hb_queue *queue) { queue->pass(); }

hb_status hb_queue_recover(hb_queue *queue) {
  const hb_status status = out_of_memory ? HB_OUT_OF_MEMORY : HB_FAILED;
  out_of_memory = false;
  return queue && queue->fail_running(status) ? HB_OK : status;
}
}
