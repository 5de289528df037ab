// The table of machines with dot product instructions. It goes by the name of NEON, which fills its gaps: users choose between vectors and none.
#include "neon.h"

namespace hb {

constexpr Kernels dotprod_kernels = [] {
  Kernels table{};
  table.isa = "neon";
  table.int8_matmul = dotprod::int8_matmul;
  return table;
}();

}  // namespace hb
