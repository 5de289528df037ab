// What becomes of CUDA's errors.
#include "errors.h"

namespace hb {

namespace {

Mutex failure_mutex;
// Names and calls are literals.
CudaError failure = {cudaSuccess, nullptr};

void remember(const CudaError &error) {
  const Lock lock(failure_mutex);
  failure = error;
}

}  // namespace

bool is_lost(cudaError_t code) noexcept {
  switch (code) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
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
  remember(error);
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

CudaError last_failure() {
  const Lock lock(failure_mutex);
  return failure;
}

}  // namespace hb
