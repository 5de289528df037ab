// Optimizer steps: Adam with 32-bit and with blockwise 8-bit states, and those with one state.
#include "bench.h"
#include "operands.h"

namespace hb::bench {

namespace {

constexpr uint64_t kBlock = 256;
constexpr hb_step kStep = {1e-4, 0.9, 0.999, 0, 0, 1e-8, 0.01, 1, 0, 2, 0};

struct Named {
  hb_optimizer optimizer;
  const char *name;
  bool has_two;
};

uint64_t size_in(const Bench &bench) { return bench.is_tiny ? 2048 : uint64_t{1} << 28; }

constexpr Named kOptimizers[] = {{HB_ADAM, "adam", true}, {HB_MOMENTUM, "momentum", false}, {HB_LION, "lion", false}};

// A parameter with its gradient: 2 GB and more with their states, so that one set is enough.
struct Parameter {
  Parameter(Bench &bench, hb_dtype dtype, uint64_t size)
      : param(bench.queue, size * width_of(dtype), stored(normal_pattern(0.02f), dtype)),
        grad(bench.queue, size * width_of(dtype), stored(normal_pattern(0.001f), dtype)) {}
  Tensor param, grad;
};

// Sorted numbers of the kind that the dynamic maps are: signed for the first state, from 0 for the second.
std::vector<float> map_of(bool is_signed) {
  std::vector<float> values(256);
  for (int i = 0; i < 256; i++) {
    const float t = is_signed ? static_cast<float>(i - 127) / 128 : static_cast<float>(i) / 255;
    values[i] = t * t * t;
  }
  return values;
}

template <class Run>
void guarded_row(Bench &bench, const Row &row, const Run &run) {
  if (!bench.wants(row.op + " " + row.name)) return;
  try {
    print(row, run());
  } catch (const Refused &refused) {
    print_refused(row, refused.status);
  }
}

void run_32bit(Bench &bench, const Named &named, hb_dtype dtype) {
  const uint64_t size = size_in(bench);
  const int states = named.has_two ? 2 : 1;
  const uint64_t bytes = size * (3 * width_of(dtype) + 8 * states);
  guarded_row(bench, {"optimizer_update_32bit", named.name, name_of(dtype), {size}, bytes}, [&] {
    const Parameter of(bench, dtype, size);
    const Tensor first(bench.queue, size * 4), second(bench.queue, named.has_two ? size * 4 : 64), norm(bench.queue, 4);
    float *two = named.has_two ? second.as<float>() : nullptr;
    return bench.clock.measure(1, [&](int) {
      must(hb_optimizer_update_32bit(bench.queue, named.optimizer, of.param, of.grad, dtype, dtype, first.as<float>(), two, size, &kStep, HB_REFERENCE, 1,
                                     norm.as<float>()));
    });
  });
}

void run_8bit(Bench &bench, const Named &named, hb_dtype dtype) {
  const uint64_t size = size_in(bench);
  const uint64_t states = named.has_two ? 2 : 1, blocks = size / kBlock;
  const uint64_t bytes = size * (3 * width_of(dtype) + 2 * states) + blocks * 8 * states;
  guarded_row(bench, {"optimizer_update_8bit_blockwise", named.name, name_of(dtype), {size}, bytes}, [&] {
    const Parameter of(bench, dtype, size);
    const Tensor first(bench.queue, size, byte_pattern()), second(bench.queue, size, byte_pattern());
    const Tensor scales1(bench.queue, blocks * 4, stored(positive_pattern(), HB_FLOAT32)), scales2(bench.queue, blocks * 4, stored(positive_pattern(), HB_FLOAT32));
    const Tensor map1(bench.queue, 1024, stored(map_of(true), HB_FLOAT32)), map2(bench.queue, 1024, stored(map_of(false), HB_FLOAT32));
    return bench.clock.measure(1, [&](int) {
      must(hb_optimizer_update_8bit_blockwise(bench.queue, named.optimizer, of.param, of.grad, dtype, dtype, first.as<uint8_t>(),
                                              named.has_two ? second.as<uint8_t>() : nullptr, map1.as<float>(), named.has_two ? map2.as<float>() : nullptr,
                                              scales1.as<float>(), named.has_two ? scales2.as<float>() : nullptr, size, kBlock, &kStep, HB_REFERENCE));
    });
  });
}

}  // namespace

void run_optimizers(Bench &bench) {
  for (const Named &named : kOptimizers) {
    for (const hb_dtype dtype : {HB_FLOAT32, HB_BFLOAT16}) {
      run_32bit(bench, named, dtype);
      run_8bit(bench, named, dtype);
    }
  }
}

}  // namespace hb::bench
