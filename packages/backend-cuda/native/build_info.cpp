// What this library is: the two calls a loader makes before any other. The text grows when a device was seen.
#include "build_info.h"

#include <cstdio>

#include "errors.h"
#include "operations.h"
#include "standard.h"

// The build says for which GPUs: JSON arrays of capabilities.
#ifndef HB_VERSION
#define HB_VERSION "0.0.0"
#endif
#ifndef HB_SASS
#define HB_SASS "[]"
#endif
#ifndef HB_PTX
#define HB_PTX "[]"
#endif

namespace hb {

namespace {

#define HB_TEXT_OF(number) #number
#define HB_TEXT(number) HB_TEXT_OF(number)

#if defined(__clang__)
constexpr const char *kHostCompiler = "clang " HB_TEXT(__clang_major__) "." HB_TEXT(__clang_minor__);
#else
constexpr const char *kHostCompiler = "gcc " HB_TEXT(__GNUC__) "." HB_TEXT(__GNUC_MINOR__);
#endif

Mutex info_mutex;
int seen_device = -1, seen_major = 0, seen_minor = 0;

// Objects of JSON, made as text: nothing in them needs escaping.
String number(int value) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%d", value);
  return digits;
}
String quoted(const String &text) { return '"' + text + '"'; }
String member(const char *name, const String &value) { return ", " + quoted(name) + ": " + value; }

String toolchain() {
#if defined(HB_EMULATED)
  return member("compiler", quoted(kHostCompiler)) + member("emulated", "true");
#else
  const String cuda = number(CUDART_VERSION / 1000) + "." + number(CUDART_VERSION % 1000 / 10);
  return member("compiler", quoted(String("nvcc " HB_NVCC ", ") + kHostCompiler)) + member("cuda", quoted(cuda));
#endif
}

String operation_list() {
  String out;
  for (const char *name : kOperations) out += (out.empty() ? "" : ", ") + quoted(name);
  return "[" + out + "]";
}

String device() {
  if (seen_device < 0) return "";
  const String capability = number(seen_major) + "." + number(seen_minor);
  return member("device", "{ \"index\": " + number(seen_device) + member("capability", quoted(capability)) + " }");
}

String describe() {
  return "{ \"abi\": " + number(HB_ABI_VERSION) + member("backend", quoted("cuda")) + member("version", quoted(HB_VERSION)) + toolchain() +
         member("sass", HB_SASS) + member("ptx", HB_PTX) + member("linkage", quoted("static")) + member("operations", operation_list()) + device() + " }";
}

}  // namespace

void see_device(int device) {
  int major = 0, minor = 0;
  expect(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  expect(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  const Lock lock(info_mutex);
  seen_device = device;
  seen_major = major;
  seen_minor = minor;
}

}  // namespace hb

extern "C" {

uint32_t hb_abi_version(void) { return HB_ABI_VERSION; }

// Every text that was ever given out stays: they are few.
const char *hb_build_info(void) {
  static hb::Deque<hb::String> &given = *new hb::Deque<hb::String>;
  const hb::Lock lock(hb::info_mutex);
  try {
    hb::String now = hb::describe();
    if (given.empty() || given.back() != now) given.push_back(std::move(now));
  } catch (const std::bad_alloc &) {
    // What was said before still holds.
  }
  return given.empty() ? "" : given.back().c_str();
}
}
