// The tables from best to scalar, and the walk that fills one table from them.
//
// HALFBYTE_CPU_ISA is a cap for tests: a table above it is passed over. A name of another architecture leaves scalar; an unknown one is ignored.
#include "dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

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

bool always() { return true; }

struct Table {
  const Kernels *kernels;
  bool (*runs_here)();
};

const Table kTables[] = {
#if defined(HB_HAVE_AVX512)
    {&avx512_kernels, has_avx512},
#endif
#if defined(HB_HAVE_AVX2)
    {&avx2_kernels, has_avx2},
#endif
    {&scalar_kernels, always},
};

// 0 is scalar. Instruction sets of one architecture are comparable, others are not.
int rank_of(const char *isa) {
  static const char *const known[] = {"avx2", "avx512"};
  for (int i = 0; i < 2; i++) {
    if (std::strcmp(isa, known[i]) == 0) return i + 1;
  }
  return 0;
}

bool is_known(const char *isa) { return rank_of(isa) > 0 || std::strcmp(isa, "neon") == 0 || std::strcmp(isa, "scalar") == 0; }

std::vector<const Table *> usable_tables() {
  const char *cap = std::getenv("HALFBYTE_CPU_ISA");
  const bool capped = cap && is_known(cap);
  std::vector<const Table *> usable;
  for (const Table &table : kTables) {
    if (capped && rank_of(table.kernels->isa) > rank_of(cap)) continue;
    if (table.runs_here()) usable.push_back(&table);
  }
  return usable;
}

// The chosen kernels and where each comes from.
class Selection {
 public:
  Selection() {
    const std::vector<const Table *> tables = usable_tables();
    chosen_.isa = tables.front()->kernels->isa;
    fill(tables, &Kernels::quantize_4bit, {"quantize_4bit"});
    fill(tables, &Kernels::dequantize_4bit, {"dequantize_4bit"});
    fill(tables, &Kernels::quantize_blockwise, {"quantize_blockwise"});
    fill(tables, &Kernels::dequantize_blockwise, {"dequantize_blockwise"});
    fill(tables, &Kernels::gemm_4bit, {"gemm_4bit"});
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
  // `operations` are those whose main work the entry does.
  template <class Entry>
  void fill(const std::vector<const Table *> &tables, Entry Kernels::*entry, std::initializer_list<const char *> operations) {
    const auto has_entry = [=](const Table *table) { return table->kernels->*entry != nullptr; };
    const Kernels &from = *(*std::find_if(tables.begin(), tables.end(), has_entry))->kernels;
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
  for (const Table &table : kTables) names.insert(names.begin(), table.kernels->isa);
  return names;
}

}  // namespace hb
