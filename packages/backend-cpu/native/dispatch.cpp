// The tables from best to scalar, and the walk that fills one table from them.
//
// HALFBYTE_CPU_ISA is a cap for tests: a table above it is passed over. A name of another architecture leaves scalar; an unknown one is ignored.
// WebAssembly has no environment; which of its two builds is loaded is TypeScript's choice.
#include "dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iterator>

#if defined(HB_HAVE_DOTPROD) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(HB_HAVE_DOTPROD) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace hb {
namespace {

#if (defined(HB_HAVE_AVX512) || defined(HB_HAVE_AVX2)) && (defined(__GNUC__) || defined(__clang__))
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
#endif

#if defined(HB_HAVE_AVX512)
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
}
#endif

#if defined(HB_HAVE_DOTPROD)
bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
  int present = 0;
  size_t size = sizeof present;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &present, &size, nullptr, 0) == 0 && present != 0;
#else
  return false;
#endif
}
#endif

bool always() { return true; }

struct Table {
  const Kernels *kernels;
  bool (*runs_here)();
};

const Table kTables[] = {
#if defined(HB_HAVE_WASM)
    {&wasm_kernels, always},
#endif
#if defined(HB_HAVE_AVX512)
    {&avx512_kernels, has_avx512},
#endif
#if defined(HB_HAVE_AVX2)
    {&avx2_kernels, has_avx2},
#endif
#if defined(HB_HAVE_DOTPROD)
    {&dotprod_kernels, has_dotprod},
#endif
#if defined(HB_HAVE_NEON)
    {&neon_kernels, always},
#endif
    {&scalar_kernels, always},
};

struct Rank {
  const char *isa;
  // 0 is scalar.
  int height;
  // Instruction sets of one architecture are comparable, others are not.
  char architecture;
};

const Rank kRanks[] = {{"scalar", 0, ' '}, {"avx2", 1, 'x'}, {"avx512", 2, 'x'}, {"neon", 1, 'a'}};

const Rank *rank_of(const char *isa) {
  const auto has_name = [=](const Rank &rank) { return std::strcmp(rank.isa, isa) == 0; };
  const Rank *found = std::find_if(std::begin(kRanks), std::end(kRanks), has_name);
  return found == std::end(kRanks) ? nullptr : found;
}

bool exceeds(const char *isa, const Rank &cap) {
  const Rank &rank = *rank_of(isa);
  return rank.height > (rank.architecture == cap.architecture ? cap.height : 0);
}

const char *given_cap() {
#if defined(__wasm__)
  return nullptr;
#else
  return std::getenv("HALFBYTE_CPU_ISA");
#endif
}

std::vector<const Kernels *> usable_tables() {
  std::vector<const Kernels *> usable = runnable_tables();
  const char *name = given_cap();
  const Rank *cap = name ? rank_of(name) : nullptr;
  if (!cap) return usable;
  usable.erase(std::remove_if(usable.begin(), usable.end(), [=](const Kernels *table) { return exceeds(table->isa, *cap); }), usable.end());
  return usable;
}

// The chosen kernels and where each comes from.
class Selection {
 public:
  Selection() {
    const std::vector<const Kernels *> tables = usable_tables();
    chosen_.isa = tables.front()->isa;
    fill(tables, &Kernels::quantize_4bit, {"quantize_4bit"});
    fill(tables, &Kernels::dequantize_4bit, {"dequantize_4bit"});
    fill(tables, &Kernels::quantize_blockwise, {"quantize_blockwise"});
    fill(tables, &Kernels::dequantize_blockwise, {"dequantize_blockwise"});
    fill(tables, &Kernels::measure_segment, {"quantization_error"});
    fill(tables, &Kernels::gemm_4bit, {"gemm_4bit"});
    fill(tables, &Kernels::prepare_activations, {});
    fill(tables, &Kernels::gemm_4bit_packed, {});
    fill(tables, &Kernels::gemm, {"gemm"});
    fill(tables, &Kernels::gemm_transposed, {"gemm_transposed"});
    fill(tables, &Kernels::int8_row_stats, {});
    fill(tables, &Kernels::int8_row_quant, {"int8_vectorwise_quant"});
    fill(tables, &Kernels::int8_row_dequant, {"int8_vectorwise_dequant"});
    fill(tables, &Kernels::int8_matmul, {"int8_linear_matmul", "int8_mixed_scaled_mm"});
    fill(tables, &Kernels::int8_matmul_packed, {});
    fill(tables, &Kernels::int8_mm_dequant, {"int8_mm_dequant"});
    fill(tables, &Kernels::optimizer_32bit, {"optimizer_update_32bit"});
    fill(tables, &Kernels::optimizer_8bit, {"optimizer_update_8bit_blockwise"});
  }

  const Kernels &chosen() const { return chosen_; }
  const std::vector<Choice> &choices() const { return choices_; }

 private:
  // `operations` are those whose main work the entry does. What no table has stays null.
  template <class Entry>
  void fill(const std::vector<const Kernels *> &tables, Entry Kernels::*entry, std::initializer_list<const char *> operations) {
    const auto has_entry = [=](const Kernels *table) { return table->*entry != nullptr; };
    const auto found = std::find_if(tables.begin(), tables.end(), has_entry);
    if (found == tables.end()) return;
    const Kernels &from = **found;
    chosen_.*entry = from.*entry;
    for (const char *operation : operations) choices_.push_back({operation, from.isa});
  }

  Kernels chosen_{};
  std::vector<Choice> choices_;
};

const Selection &selection() {
  static const Selection &selection = *new Selection;
  return selection;
}

}  // namespace

const Kernels &kernels() { return selection().chosen(); }

std::vector<Choice> choices() { return selection().choices(); }

std::vector<std::string> compiled_isas() {
  std::vector<std::string> names;
  for (const Table &table : kTables) {
    if (names.empty() || names.front() != table.kernels->isa) names.insert(names.begin(), table.kernels->isa);
  }
  return names;
}

std::vector<const Kernels *> runnable_tables() {
  std::vector<const Kernels *> runnable;
  for (const Table &table : kTables) {
    if (table.runs_here()) runnable.push_back(table.kernels);
  }
  return runnable;
}

}  // namespace hb
