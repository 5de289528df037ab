// What becomes of CUDA's errors: a status for the caller, and the number for whoever asks further.
#include "errors.h"

#include <atomic>

namespace hb {

namespace {

std::atomic<int32_t> last_error{0};

}  // namespace

bool is_lost(cudaError_t code) noexcept {
  switch (code) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorExternalDevice:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

hb_status status_of(const CudaError &error) noexcept {
  last_error = error.code;
  cudaGetLastError();
  if (is_lost(error.code)) return HB_DEVICE_LOST;
  switch (error.code) {
    case cudaErrorMemoryAllocation:
      return HB_OUT_OF_MEMORY;
    case cudaErrorInvalidDevice:
    case cudaErrorNoDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidPtx:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorUnsupportedPtxVersion:
      return HB_UNSUPPORTED;
    default:
      return HB_FAILED;
  }
}

}  // namespace hb

extern "C" {

// CUDA's own number of the latest failure, 0: none. Asking changes nothing.
HB_API int32_t hb_last_error(void) { return hb::last_error; }
}
