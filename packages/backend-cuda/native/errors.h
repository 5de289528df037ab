// CUDA's errors on their way to a status of the ABI: thrown inside the library, caught at its border, and the last one remembered.
#pragma once
#include <new>

#include "device.h"
#include "halfbyte.h"
#include "standard.h"

namespace hb {

struct CudaError {
  cudaError_t code;
  const char *call;
};

inline void expect(cudaError_t result, const char *call) {
  if (result != cudaSuccess) throw CudaError{result, call};
}

// Whether the device is gone: every later call fails with the same error.
bool is_lost(cudaError_t code) noexcept;

// Remembers the error for hb_last_error and clears it from the calling thread.
hb_status status_of(const CudaError &error) noexcept;

// No exception leaves the library.
template <class Body>
hb_status guarded(const Body &body) noexcept {
  try {
    body();
    return HB_OK;
  } catch (const CudaError &error) {
    return status_of(error);
  } catch (const std::bad_alloc &) {
    return HB_OUT_OF_MEMORY;
  } catch (...) {
    return HB_FAILED;
  }
}

}  // namespace hb
