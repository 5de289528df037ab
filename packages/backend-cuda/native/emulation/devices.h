// The emulated devices: how many a process sees, what became of each, and the memory they have.
#pragma once
#include <atomic>
#include <cstdint>

#include "cuda_runtime.h"

namespace hb::emulation {

struct Device {
  // A kernel that failed takes the device with it, as on a GPU: every later call returns this.
  std::atomic<cudaError_t> error{cudaSuccess};
  std::atomic<uint64_t> taken{0};
};

int device_count();
// By its number in this process, which is below device_count().
Device &device_at(int number);
int current_device();
// Among all that the machine has.
int physical_number(int number);

// What a call on a device returns, remembered for cudaGetLastError.
cudaError_t returned(cudaError_t error, int device);
inline cudaError_t returned(cudaError_t error) { return returned(error, current_device()); }

// Which device's allocation a byte lies in; −1: in none.
int device_of(const void *byte);

}  // namespace hb::emulation
