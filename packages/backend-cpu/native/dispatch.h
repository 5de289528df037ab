// Which instruction set runs each operation: decided once per process, from what is compiled in, what the machine has and HALFBYTE_CPU_ISA.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels.h"

namespace hb {

// The kernels to call: every entry is there, from the best table that has it.
const Kernels &kernels();

// The instruction sets compiled in, lowest first.
std::vector<std::string> compiled_isas();

// The tables this machine can run, best first, whatever HALFBYTE_CPU_ISA says.
std::vector<const Kernels *> runnable_tables();

struct Choice {
  const char *operation;
  const char *isa;
};
// The instruction set that does the work of each operation of halfbyte.h, by its name without hb_. Operations of several kernels are named
// by the most expensive one. "gemm_transposed" is hb_gemm with transpose.
std::vector<Choice> choices();

}  // namespace hb
