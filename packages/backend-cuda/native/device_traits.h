// What kernels are chosen by: the generation of a device and its size.
#pragma once
#include <cstdint>

#include "errors.h"

namespace hb {

struct DeviceTraits {
  // 80 is compute capability 8.0.
  int capability, multiprocessors;
  // What a thread block may have of shared memory when it asks.
  uint32_t shared_bytes_per_block;
};

inline DeviceTraits traits_of(int device) {
  const auto ask = [device](cudaDeviceAttr attribute) {
    int value = 0;
    expect(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
    return value;
  };
  return {10 * ask(cudaDevAttrComputeCapabilityMajor) + ask(cudaDevAttrComputeCapabilityMinor), ask(cudaDevAttrMultiProcessorCount),
          static_cast<uint32_t>(ask(cudaDevAttrMaxSharedMemoryPerBlockOptin))};
}

}  // namespace hb
