// Tensor cores as mma.cuh uses them: every register of every lane, held to the tables of the PTX manual, typed out below; and asynchronous copies.
// Compiled and started by test/emulation.test.ts.
#include <cstdio>
#include <vector>

#include "async_copy.cuh"

namespace {

int failures = 0;

void check(bool good, const char *what) {
  if (good) return;
  std::printf("FAILED: %s\n", what);
  failures++;
}

// Where the elements of a lane lie, row by row of the operand: lane and register. From the figures of mma.m16n8k16 (.f16, .bf16; an entry is two
// elements) and mma.m16n8k32 (.s8; an entry is four), which agree in 32-bit words.
struct Place {
  uint32_t lane, word;
};

// A, 16 rows of eight words.
constexpr Place kA[16][8] = {
    {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {0, 2}, {1, 2}, {2, 2}, {3, 2}},
    {{4, 0}, {5, 0}, {6, 0}, {7, 0}, {4, 2}, {5, 2}, {6, 2}, {7, 2}},
    {{8, 0}, {9, 0}, {10, 0}, {11, 0}, {8, 2}, {9, 2}, {10, 2}, {11, 2}},
    {{12, 0}, {13, 0}, {14, 0}, {15, 0}, {12, 2}, {13, 2}, {14, 2}, {15, 2}},
    {{16, 0}, {17, 0}, {18, 0}, {19, 0}, {16, 2}, {17, 2}, {18, 2}, {19, 2}},
    {{20, 0}, {21, 0}, {22, 0}, {23, 0}, {20, 2}, {21, 2}, {22, 2}, {23, 2}},
    {{24, 0}, {25, 0}, {26, 0}, {27, 0}, {24, 2}, {25, 2}, {26, 2}, {27, 2}},
    {{28, 0}, {29, 0}, {30, 0}, {31, 0}, {28, 2}, {29, 2}, {30, 2}, {31, 2}},
    {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {0, 3}, {1, 3}, {2, 3}, {3, 3}},
    {{4, 1}, {5, 1}, {6, 1}, {7, 1}, {4, 3}, {5, 3}, {6, 3}, {7, 3}},
    {{8, 1}, {9, 1}, {10, 1}, {11, 1}, {8, 3}, {9, 3}, {10, 3}, {11, 3}},
    {{12, 1}, {13, 1}, {14, 1}, {15, 1}, {12, 3}, {13, 3}, {14, 3}, {15, 3}},
    {{16, 1}, {17, 1}, {18, 1}, {19, 1}, {16, 3}, {17, 3}, {18, 3}, {19, 3}},
    {{20, 1}, {21, 1}, {22, 1}, {23, 1}, {20, 3}, {21, 3}, {22, 3}, {23, 3}},
    {{24, 1}, {25, 1}, {26, 1}, {27, 1}, {24, 3}, {25, 3}, {26, 3}, {27, 3}},
    {{28, 1}, {29, 1}, {30, 1}, {31, 1}, {28, 3}, {29, 3}, {30, 3}, {31, 3}},
};

// B, eight words of eight columns; here a row of the table is a column of B.
constexpr Place kB[8][8] = {
    {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {0, 1}, {1, 1}, {2, 1}, {3, 1}},
    {{4, 0}, {5, 0}, {6, 0}, {7, 0}, {4, 1}, {5, 1}, {6, 1}, {7, 1}},
    {{8, 0}, {9, 0}, {10, 0}, {11, 0}, {8, 1}, {9, 1}, {10, 1}, {11, 1}},
    {{12, 0}, {13, 0}, {14, 0}, {15, 0}, {12, 1}, {13, 1}, {14, 1}, {15, 1}},
    {{16, 0}, {17, 0}, {18, 0}, {19, 0}, {16, 1}, {17, 1}, {18, 1}, {19, 1}},
    {{20, 0}, {21, 0}, {22, 0}, {23, 0}, {20, 1}, {21, 1}, {22, 1}, {23, 1}},
    {{24, 0}, {25, 0}, {26, 0}, {27, 0}, {24, 1}, {25, 1}, {26, 1}, {27, 1}},
    {{28, 0}, {29, 0}, {30, 0}, {31, 0}, {28, 1}, {29, 1}, {30, 1}, {31, 1}},
};

// C, 16 rows of eight elements.
constexpr Place kC[16][8] = {
    {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {3, 0}, {3, 1}},
    {{4, 0}, {4, 1}, {5, 0}, {5, 1}, {6, 0}, {6, 1}, {7, 0}, {7, 1}},
    {{8, 0}, {8, 1}, {9, 0}, {9, 1}, {10, 0}, {10, 1}, {11, 0}, {11, 1}},
    {{12, 0}, {12, 1}, {13, 0}, {13, 1}, {14, 0}, {14, 1}, {15, 0}, {15, 1}},
    {{16, 0}, {16, 1}, {17, 0}, {17, 1}, {18, 0}, {18, 1}, {19, 0}, {19, 1}},
    {{20, 0}, {20, 1}, {21, 0}, {21, 1}, {22, 0}, {22, 1}, {23, 0}, {23, 1}},
    {{24, 0}, {24, 1}, {25, 0}, {25, 1}, {26, 0}, {26, 1}, {27, 0}, {27, 1}},
    {{28, 0}, {28, 1}, {29, 0}, {29, 1}, {30, 0}, {30, 1}, {31, 0}, {31, 1}},
    {{0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 2}, {2, 3}, {3, 2}, {3, 3}},
    {{4, 2}, {4, 3}, {5, 2}, {5, 3}, {6, 2}, {6, 3}, {7, 2}, {7, 3}},
    {{8, 2}, {8, 3}, {9, 2}, {9, 3}, {10, 2}, {10, 3}, {11, 2}, {11, 3}},
    {{12, 2}, {12, 3}, {13, 2}, {13, 3}, {14, 2}, {14, 3}, {15, 2}, {15, 3}},
    {{16, 2}, {16, 3}, {17, 2}, {17, 3}, {18, 2}, {18, 3}, {19, 2}, {19, 3}},
    {{20, 2}, {20, 3}, {21, 2}, {21, 3}, {22, 2}, {22, 3}, {23, 2}, {23, 3}},
    {{24, 2}, {24, 3}, {25, 2}, {25, 3}, {26, 2}, {26, 3}, {27, 2}, {27, 3}},
    {{28, 2}, {28, 3}, {29, 2}, {29, 3}, {30, 2}, {30, 3}, {31, 2}, {31, 3}},
};

// Registers of all lanes, [lane][register].
template <class Mma>
__global__ void multiply(const uint32_t *a, const uint32_t *b, typename Mma::Accumulator *c) {
  uint32_t mine_a[4], mine_b[2];
  typename Mma::Accumulator mine_c[4];
  for (uint32_t i = 0; i < 4; i++) mine_a[i] = a[4 * threadIdx.x + i], mine_c[i] = c[4 * threadIdx.x + i];
  for (uint32_t i = 0; i < 2; i++) mine_b[i] = b[2 * threadIdx.x + i];
  Mma::multiply(mine_c, mine_a, mine_b);
  for (uint32_t i = 0; i < 4; i++) c[4 * threadIdx.x + i] = mine_c[i];
}

__global__ void read_matrices(uint32_t *plain, uint32_t *transposed) {
  __shared__ uint4 tile[32];
  tile[threadIdx.x] = {8 * threadIdx.x | (8 * threadIdx.x + 1) << 16, (8 * threadIdx.x + 2) | (8 * threadIdx.x + 3) << 16,
                       (8 * threadIdx.x + 4) | (8 * threadIdx.x + 5) << 16, (8 * threadIdx.x + 6) | (8 * threadIdx.x + 7) << 16};
  __syncwarp();
  uint32_t words[4];
  hb::load_matrices(words, &tile[threadIdx.x]);
  for (uint32_t i = 0; i < 4; i++) plain[4 * threadIdx.x + i] = words[i];
  hb::load_matrices_transposed(words, &tile[threadIdx.x]);
  for (uint32_t i = 0; i < 4; i++) transposed[4 * threadIdx.x + i] = words[i];
}

// Two groups; the first may be read after the first wait, the second only after the second.
__global__ void copy(const uint32_t *from, uint32_t *out) {
  __shared__ uint4 tile[3][32];
  const uint4 *source = reinterpret_cast<const uint4 *>(from);
  hb::copy_async(&tile[0][threadIdx.x], source + threadIdx.x, true);
  hb::end_copy_group();
  hb::copy_async(&tile[1][threadIdx.x], source + 32 + threadIdx.x, true);
  hb::copy_async(&tile[2][threadIdx.x], nullptr, false);
  hb::end_copy_group();
  hb::await_copies<1>();
  out[threadIdx.x] = tile[0][threadIdx.x].x;
  hb::await_copies<0>();
  out[32 + threadIdx.x] = tile[1][threadIdx.x].x;
  out[64 + threadIdx.x] = tile[2][threadIdx.x].x;
}

template <class... Parameters, class... Arguments>
void run(void (*kernel)(Parameters...), Arguments... arguments) {
  cudaStream_t stream;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  hb::launch(kernel, 1, 32, stream, arguments...);
  check(cudaStreamSynchronize(stream) == cudaSuccess, "a launch");
  cudaStreamDestroy(stream);
}

// Fills operands through the tables, so that only they say where an element lies, and compares with the product of the matrices.
template <class Mma>
void compare(const char *name, uint32_t per_word, uint32_t (*pack)(const int *elements)) {
  using Sum = typename Mma::Accumulator;
  std::vector<int> a(16 * 32), b(8 * 32);
  std::vector<uint32_t> words_a(128), words_b(64);
  std::vector<Sum> c(128);
  const uint32_t depth = 8 * per_word;
  for (uint32_t i = 0; i < a.size(); i++) a[i] = static_cast<int>(i * 2654435761u >> 28) - 8;
  for (uint32_t i = 0; i < b.size(); i++) b[i] = static_cast<int>(i * 1597334677u >> 28) - 7;
  for (uint32_t word = 0; word < 8; word++) {
    for (uint32_t row = 0; row < 16; row++) words_a[4 * kA[row][word].lane + kA[row][word].word] = pack(&a[row * depth + word * per_word]);
    for (uint32_t column = 0; column < 8; column++) words_b[2 * kB[column][word].lane + kB[column][word].word] = pack(&b[column * depth + word * per_word]);
  }
  for (size_t i = 0; i < c.size(); i++) c[i] = static_cast<Sum>(i);
  run(multiply<Mma>, words_a.data(), words_b.data(), c.data());
  bool good = true;
  for (uint32_t row = 0; row < 16; row++)
    for (uint32_t column = 0; column < 8; column++) {
      const uint32_t at = 4 * kC[row][column].lane + kC[row][column].word;
      int expected = static_cast<int>(at);
      for (uint32_t k = 0; k < depth; k++) expected += a[row * depth + k] * b[column * depth + k];
      good &= c[at] == static_cast<Sum>(expected);
    }
  check(good, name);
}

uint32_t pack_float16(const int *elements) {
  return hb::narrow_to_float16(static_cast<float>(elements[0])) | static_cast<uint32_t>(hb::narrow_to_float16(static_cast<float>(elements[1]))) << 16;
}
uint32_t pack_bfloat16(const int *elements) {
  return hb::narrow_to_bfloat16(static_cast<float>(elements[0])) | static_cast<uint32_t>(hb::narrow_to_bfloat16(static_cast<float>(elements[1]))) << 16;
}
uint32_t pack_int8(const int *elements) {
  uint32_t word = 0;
  for (uint32_t i = 0; i < 4; i++) word |= (static_cast<uint32_t>(elements[i]) & 255) << 8 * i;
  return word;
}

// Element e of row r of matrix i is 64i + 8r + e.
void matrices() {
  uint32_t plain[128], transposed[128];
  run(read_matrices, plain, transposed);
  bool good = true;
  for (uint32_t lane = 0; lane < 32; lane++)
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t row = lane / 4, column = 2 * (lane % 4), first = 64 * i + 8 * row + column;
      good &= plain[4 * lane + i] == (first | (first + 1) << 16);
      const uint32_t low = 64 * i + 8 * column + row;
      good &= transposed[4 * lane + i] == (low | (low + 8) << 16);
    }
  check(good, "matrices from shared memory, plain and transposed");
}

void copies() {
  std::vector<uint32_t> from(4 * 64), out(96, 1);
  for (size_t i = 0; i < from.size(); i++) from[i] = static_cast<uint32_t>(i);
  run(copy, from.data(), out.data());
  bool good = true;
  for (uint32_t i = 0; i < 64; i++) good &= out[i] == 4 * i;
  for (uint32_t i = 64; i < 96; i++) good &= out[i] == 0;
  check(good, "asynchronous copies and absent sources");
}

}  // namespace

int main() {
  compare<hb::Float16Mma>("float16 tiles", 2, pack_float16);
  compare<hb::Bfloat16Mma>("bfloat16 tiles", 2, pack_bfloat16);
  compare<hb::Int8Mma>("int8 tiles", 4, pack_int8);
  matrices();
  copies();
  std::printf("%d failures\n", failures);
  return failures > 0;
}
