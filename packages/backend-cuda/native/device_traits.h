// What kernels are chosen by: the generation of a device and its size.
#pragma once
#include "errors.h"

namespace hb {

struct DeviceTraits {
  // 80 is compute capability 8.0.
  int capability, multiprocessors;
};

inline DeviceTraits traits_of(int device) {
  const auto ask = [device](cudaDeviceAttr attribute) {
    int value = 0;
    expect(cudaDeviceGetAttribute(&value, attribute, device), "cudaDeviceGetAttribute");
    return value;
  };
  return {10 * ask(cudaDevAttrComputeCapabilityMajor) + ask(cudaDevAttrComputeCapabilityMinor), ask(cudaDevAttrMultiProcessorCount)};
}

}  // namespace hb
