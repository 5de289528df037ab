// The emulated device itself: what it computes, and that it reports what a GPU would do wrongly. Compiled and started by test/emulation.test.ts.
#include <cstdio>
#include <cstring>
#include <vector>

#include "launch.cuh"

namespace {

int failures = 0;

void check(bool good, const char *what) {
  if (good) return;
  std::printf("FAILED: %s\n", what);
  failures++;
}

// ── Kernels that are right ──

__global__ void sum_block(const int *x, int *out) {
  __shared__ int of_warp[8];
  int value = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (uint32_t apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(~0u, value, apart);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    int total = 0;
    for (uint32_t i = 0; i < blockDim.x / 32; i++) total += of_warp[i];
    atomicAdd(out, total);
  }
}

// Parts of a warp shuffle on their own.
__global__ void halves(int *out) {
  const bool low = threadIdx.x < 16;
  const uint32_t mask = low ? 0x0000ffffu : 0xffff0000u;
  int value = static_cast<int>(threadIdx.x);
  if (low) value = __shfl_sync(mask, value, 3);
  else value = __shfl_xor_sync(mask, value, 1u, 16u);
  out[threadIdx.x] = value;
}

__global__ void votes(uint32_t *out) {
  const uint32_t odd = __ballot_sync(~0u, threadIdx.x % 2);
  const int any = __any_sync(~0u, threadIdx.x == 31), all = __all_sync(~0u, threadIdx.x < 31);
  if (threadIdx.x == 0) out[0] = odd, out[1] = any, out[2] = all;
}

__global__ void moves(int *out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_down_sync(~0u, lane, 1u);
  out[32 + lane] = __shfl_up_sync(~0u, lane, 4u, 8u);
}

__global__ void atomics(uint64_t *lowest, uint32_t *highest) {
  atomicMin(lowest, static_cast<uint64_t>(100 + threadIdx.x));
  atomicMax(highest, 7 * threadIdx.x);
}

// ── Kernels that are wrong ──

__global__ void divergent_barrier(int *out) {
  if (threadIdx.x < 7) __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void early_leaver(int *out) {
  if (threadIdx.x == 5) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}
__global__ void divergent_shuffle(int *out) {
  if (threadIdx.x != 9) out[threadIdx.x] = __shfl_xor_sync(~0u, 1, 1u);
}
__global__ void unnamed_caller(int *out) { out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1, 1u); }
__global__ void absent_source(int *out) {
  if (threadIdx.x < 8) out[threadIdx.x] = __shfl_sync(0x000000ffu, 1, 20);
}

// A stream, and what became of a kernel on it.
template <class Kernel, class... Arguments>
cudaError_t run(Kernel kernel, dim3 grid, dim3 block, Arguments... arguments) {
  cudaStream_t stream;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  cudaError_t result = cudaSuccess;
  try {
    hb::launch(kernel, grid, block, stream, arguments...);
    result = cudaStreamSynchronize(stream);
  } catch (const hb::CudaError &error) {
    result = error.code;
  }
  cudaStreamDestroy(stream);
  return result;
}

void right_kernels() {
  std::vector<int> x(3 * 256);
  int expected = 0;
  for (size_t i = 0; i < x.size(); i++) expected += x[i] = static_cast<int>(i * 2654435761u >> 20);
  int sum = 0;
  check(run(sum_block, 3, 256, x.data(), &sum) == cudaSuccess && sum == expected, "sums over warps, blocks and the grid");

  int lanes[64] = {};
  run(halves, 1, 32, lanes);
  check(lanes[0] == 3 && lanes[15] == 3 && lanes[16] == 17 && lanes[31] == 30, "shuffles in parts of a warp");

  uint32_t voted[3] = {};
  run(votes, 1, 32, voted);
  check(voted[0] == 0xaaaaaaaa && voted[1] == 1 && voted[2] == 0, "votes");

  run(moves, 1, 32, lanes);
  check(lanes[0] == 1 && lanes[31] == 31 && lanes[32 + 3] == 3 && lanes[32 + 12] == 8, "shuffles up and down");

  uint64_t lowest = ~0ull;
  uint32_t highest = 0;
  run(atomics, 2, 64, &lowest, &highest);
  check(lowest == 100 && highest == 7 * 63, "atomic minimum and maximum");

  check(__dp4a(0x7f80ff01, 0x02030405, 10) == 10 + 127 * 2 + -128 * 3 + -1 * 4 + 1 * 5, "products of four bytes");
}

struct Wrong {
  const char *name;
  void (*kernel)(int *);
};

constexpr Wrong wrong[] = {{"divergent barrier", divergent_barrier},
                           {"early leaver", early_leaver},
                           {"divergent shuffle", divergent_shuffle},
                           {"unnamed caller", unnamed_caller},
                           {"absent source", absent_source}};

}  // namespace

// Without an argument the kernels that are right; with one the wrong kernel of that name, which must take the device with it.
int main(int count, char **arguments) {
  if (count == 1) {
    right_kernels();
    std::printf("%d failures\n", failures);
    return failures > 0;
  }
  for (const Wrong &one : wrong) {
    if (std::strcmp(one.name, arguments[1]) != 0) continue;
    int out[32];
    const bool lost = run(one.kernel, 1, 32, out) == cudaErrorLaunchFailure && run(votes, 1, 32, nullptr) == cudaErrorLaunchFailure;
    return lost ? 0 : 1;
  }
  return 2;
}
