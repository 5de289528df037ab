// The benchmark of the CUDA library: floors of the device and operations of halfbyte.h, a line of JSON for each. What they should reach is
// judged by who reads the lines (gpu-check/targets.py).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "clock.h"

namespace hb::bench {

struct Bench {
  hb_queue *queue;
  Clock &clock;
  // Small sizes: shows that everything runs, on an emulated device for one.
  bool is_tiny;
  std::string only;  // part of a name, empty: everything

  bool wants(const std::string &name) const { return name.find(only) != std::string::npos; }
  // How many sets of operands of `bytes` each a loop goes over, so that none is in the cache when its turn comes: four times the L2.
  int copies(uint64_t bytes) const;
};

// What a row says beside its time. Zero: it does not apply.
struct Row {
  std::string op, name, dtype;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;       // that must cross the memory bus once
  uint64_t operations = 0;  // multiplications and additions
  double relative_error = 0, dense_error = 0;
};

void print(const Row &row, const Timing &timing);
// `status` of halfbyte.h instead of a time.
void print_refused(const Row &row, int status);

void run_floors(Bench &bench);
void run_products_4bit(Bench &bench);
void run_codes(Bench &bench);
void run_int8(Bench &bench);
void run_optimizers(Bench &bench);

}  // namespace hb::bench
