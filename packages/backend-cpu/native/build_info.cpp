// What this library is: the two calls a loader makes before any other.
#include <string>

#include "dispatch.h"

#ifndef HB_VERSION
#define HB_VERSION "0.0.0"
#endif

namespace {

#if defined(__clang__)
constexpr const char *kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr const char *kCompiler = "gcc " __VERSION__;
#else
constexpr const char *kCompiler = "unknown";
#endif

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= ' ') out += c;
  }
  return out + '"';
}

std::string member(const std::string &name, const std::string &value) { return quoted(name) + ": " + value; }

std::string isa_list() {
  std::string out;
  for (const std::string &isa : hb::compiled_isas()) out += (out.empty() ? "" : ", ") + quoted(isa);
  return "[" + out + "]";
}

std::string kernel_map() {
  std::string out;
  for (const hb::Choice &choice : hb::choices()) out += (out.empty() ? "" : ", ") + member(choice.operation, quoted(choice.isa));
  return "{ " + out + " }";
}

std::string describe() {
  return "{ " + member("abi", std::to_string(HB_ABI_VERSION)) + ", " + member("backend", quoted("cpu")) + ", " +
         member("version", quoted(HB_VERSION)) + ", " + member("compiler", quoted(kCompiler)) + ", " + member("isas", isa_list()) + ", " +
         member("isa", quoted(hb::kernels().isa)) + ", " + member("kernels", kernel_map()) + " }";
}

}  // namespace

extern "C" {

uint32_t hb_abi_version(void) { return HB_ABI_VERSION; }

const char *hb_build_info(void) {
  static const std::string &info = *new std::string(describe());
  return info.c_str();
}
}
