// Numbers of devices, and the calls that ask for them.
#include "devices.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace hb::emulation {

namespace {

thread_local int current = 0;
thread_local cudaError_t last_error = cudaSuccess;

long number_from(const char *variable, long otherwise) {
  const char *text = std::getenv(variable);
  return text && *text ? std::strtol(text, nullptr, 10) : otherwise;
}

// Numbers up to the first that names no device, or one that was named before.
std::vector<int> visible_among(int count, const char *list) {
  std::vector<int> visible;
  std::vector<bool> seen(static_cast<size_t>(count));
  for (const char *at = list; *at;) {
    char *end = nullptr;
    const long number = std::strtol(at, &end, 10);
    const bool is_number = end != at && (*end == ',' || *end == 0);
    if (!is_number || number < 0 || number >= count || seen[static_cast<size_t>(number)]) break;
    seen[static_cast<size_t>(number)] = true;
    visible.push_back(static_cast<int>(number));
    at = *end ? end + 1 : end;
  }
  return visible;
}

std::vector<int> visible_devices(int count) {
  if (const char *list = std::getenv("CUDA_VISIBLE_DEVICES")) return visible_among(count, list);
  std::vector<int> all;
  for (int i = 0; i < count; i++) all.push_back(i);
  return all;
}

// As with a driver, the environment counts when the first call is made.
struct Machine {
  int count = static_cast<int>(number_from("HALFBYTE_EMULATED_DEVICES", 1));
  std::vector<int> visible = visible_devices(count);
  std::unique_ptr<Device[]> devices{new Device[static_cast<size_t>(count)]};
};

Machine &machine() {
  static Machine &only = *new Machine;
  return only;
}

struct Capability {
  int major = 9, minor = 0;
  Capability() {
    const char *told = std::getenv("HALFBYTE_EMULATED_CAPABILITY");
    if (told && std::sscanf(told, "%d.%d", &major, &minor) != 2) *this = Capability(9, 0);
  }
  Capability(int major, int minor) : major(major), minor(minor) {}
};

// Of the GPUs of a capability, the one that gives a block the least (CUDA C++ Programming Guide, table of technical specifications).
int shared_bytes_of(const Capability &capability) {
  const int number = 10 * capability.major + capability.minor;
  const int kilobytes = number < 70 ? 48 : number < 75 ? 96 : number < 80 ? 64 : number == 80 ? 163 : number < 90 ? 99 : number < 120 ? 227 : 99;
  return kilobytes << 10;
}

int attribute_of(cudaDeviceAttr attribute) {
  const Capability capability;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      return 4;
    case cudaDevAttrComputeCapabilityMajor:
      return capability.major;
    case cudaDevAttrComputeCapabilityMinor:
      return capability.minor;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return shared_bytes_of(capability);
    case cudaDevAttrMemoryPoolsSupported:
      return number_from("HALFBYTE_EMULATED_POOLS", 1) != 0;
  }
  return 0;
}

bool exists(int device) { return device >= 0 && device < device_count(); }

}  // namespace

int device_count() { return static_cast<int>(machine().visible.size()); }
int physical_number(int number) { return machine().visible[static_cast<size_t>(number)]; }
Device &device_at(int number) { return machine().devices[static_cast<size_t>(physical_number(number))]; }
int current_device() { return current; }

cudaError_t returned(cudaError_t error, int device) {
  const cudaError_t lost = exists(device) ? device_at(device).error.load() : cudaErrorNoDevice;
  const cudaError_t result = lost != cudaSuccess ? lost : error;
  if (result != cudaSuccess) last_error = result;
  return result;
}

}  // namespace hb::emulation

using namespace hb::emulation;

cudaError_t cudaGetDeviceCount(int *count) {
  *count = device_count();
  return *count == 0 ? last_error = cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
  *device = current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (!exists(device)) return last_error = cudaErrorInvalidDevice;
  current = device;
  return returned(cudaSuccess);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
  if (!exists(device)) return last_error = cudaErrorInvalidDevice;
  *value = attribute_of(attribute);
  return returned(cudaSuccess, device);
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

const char *cudaGetErrorName(cudaError_t error) { return error == cudaErrorLaunchFailure ? "cudaErrorLaunchFailure" : "cudaError"; }
