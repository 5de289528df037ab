// Kernels that go where they have no business, for sanitizers to find: the emulated device must not hide from them what a GPU would answer with an
// error, or not at all. Compiled and started by test/sanitizers.test.ts.
#include <cstdio>
#include <cstring>

#include "launch.cuh"

namespace {

__global__ void copy(const uint32_t *from, uint32_t *to, uint32_t count) {
  for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) to[i] = from[i];
}

__global__ void copy_wide(const char *from, char *to) { reinterpret_cast<uint4 *>(to)[threadIdx.x] = reinterpret_cast<const uint4 *>(from)[threadIdx.x]; }

__global__ void fill_shared(uint32_t count) {
  HB_DYNAMIC_SHARED(shared);
  for (uint32_t i = threadIdx.x; i < count; i += blockDim.x) shared[i] = 1;
  __syncthreads();
}

__global__ void index_table(uint32_t *out, uint32_t index) {
  __shared__ uint32_t table[8];
  if (threadIdx.x < 8) table[threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) out[0] = table[index];
}

__global__ void index_local(uint32_t *out, uint32_t index) {
  uint32_t values[8];
  for (uint32_t i = 0; i < 8; i++) values[i] = i;
  // The thread sleeps in the middle of its stack.
  __syncthreads();
  volatile uint32_t *at = values;
  out[threadIdx.x] = at[index];
}

constexpr uint32_t kCount = 32;

// Two blocks of device memory of kCount words, and what is done with them.
template <class Body>
void with_memory(const Body &body) {
  cudaStream_t stream;
  void *from, *to;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  cudaMalloc(&from, kCount * sizeof(uint32_t));
  cudaMalloc(&to, kCount * sizeof(uint32_t));
  body(stream, from, to);
  cudaStreamSynchronize(stream);
  cudaFree(from);
  cudaFree(to);
  cudaStreamDestroy(stream);
}

void run(const char *name) {
  const auto is = [=](const char *other) { return std::strcmp(name, other) == 0; };
  with_memory([&](cudaStream_t stream, void *from, void *to) {
    const auto *words = static_cast<const uint32_t *>(from);
    auto *out = static_cast<uint32_t *>(to);
    hb::launch(copy, 1, 64, stream, words, out, kCount);
    if (is("read")) hb::launch(copy, 1, 64, stream, words, out, kCount + 1);
    if (is("misaligned")) hb::launch(copy_wide, 1, 2, stream, static_cast<const char *>(from) + 4, static_cast<char *>(to));
    hb::launch(fill_shared, 1, 32, 100u, stream, is("shared") ? 101u : 100u);
    hb::launch(index_table, 1, 32, stream, out, is("table") ? 8u : 7u);
    hb::launch(index_local, 1, 32, stream, out, is("local") ? 9u : 7u);
    if (!is("freed")) return;
    cudaStreamSynchronize(stream);
    void *gone;
    cudaMalloc(&gone, 64);
    cudaFree(gone);
    hb::launch(copy, 1, 1, stream, static_cast<const uint32_t *>(gone), out, 1u);
  });
}

}  // namespace

int main(int count, char **arguments) {
  run(count > 1 ? arguments[1] : "nothing");
  std::printf("done\n");
}
