// Sums whose terms several thread blocks compute: each leaves its own in memory, and the last to arrive adds them up, always in the same order.
#pragma once
#include "elements.cuh"

namespace hb {

struct SplitSum {
  // Sums of one tile of the output after the other, and of one split after the other.
  float *partial;
  // One number per tile, zero before and after.
  uint32_t *arrivals;
  uint32_t splits;
};

// Called by all threads of a block, which have written `size` sums of this tile and split to their place. True in the last block, which then sees
// those of all.
__device__ inline bool is_last_to_arrive(const SplitSum &sum, uint64_t tile) {
  __shared__ uint32_t ticket;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    ticket = atomicAdd(&sum.arrivals[tile], 1u);
    if (ticket == sum.splits - 1) sum.arrivals[tile] = 0;
    __threadfence();
  }
  __syncthreads();
  return ticket == sum.splits - 1;
}

__device__ inline float *partial_of(const SplitSum &sum, uint64_t tile, uint32_t split, uint32_t size) {
  return sum.partial + (tile * sum.splits + split) * size;
}

// Sum `i` of a tile over all splits.
__device__ inline float sum_of_splits(const SplitSum &sum, uint64_t tile, uint32_t size, uint32_t i) {
  float total = 0;
  for (uint32_t split = 0; split < sum.splits; split++) total = __fadd_rn(total, __ldcg(partial_of(sum, tile, split, size) + i));
  return total;
}

}  // namespace hb
