// LLM.int8(): quantizing rows, the integer product, and the product with its scales.
#include "bench.h"
#include "operands.h"

namespace hb::bench {

namespace {

struct Shape {
  uint64_t m, n, k;
};

template <class Run>
void guarded_row(Bench &bench, const Row &row, const Run &run) {
  if (!bench.wants(row.op + " " + row.name)) return;
  try {
    print(row, run());
  } catch (const Refused &refused) {
    print_refused(row, refused.status);
  }
}

std::string named(const Shape &shape) { return "M=" + std::to_string(shape.m) + " " + std::to_string(shape.n) + "x" + std::to_string(shape.k); }

void run_quantizer(Bench &bench, hb_dtype dtype, uint64_t rows, uint64_t k) {
  const uint64_t bytes = rows * k * (width_of(dtype) + 1) + rows * 4;
  const Row row = {"int8_vectorwise_quant", std::to_string(rows) + "x" + std::to_string(k), name_of(dtype), {rows, k}, bytes};
  guarded_row(bench, row, [&] {
    struct Set {
      Tensor x, q, stats, mask;
    };
    std::vector<Set> sets;
    for (int i = 0; i < bench.copies(bytes); i++)
      sets.push_back({Tensor(bench.queue, rows * k * width_of(dtype), stored(normal_pattern(), dtype)), Tensor(bench.queue, rows * k),
                      Tensor(bench.queue, rows * 4), Tensor(bench.queue, k)});
    return bench.clock.measure(static_cast<int>(sets.size()), [&](int i) {
      const Set &set = sets[i];
      must(hb_int8_vectorwise_quant(bench.queue, set.x, dtype, rows, k, 0, set.q.as<int8_t>(), set.stats.as<float>(), set.mask.as<uint8_t>(), nullptr));
    });
  });
}

struct Integers {
  Tensor a, b, row_stats, col_stats, out;
};

std::vector<Integers> operands(Bench &bench, const Shape &shape, uint64_t bytes, uint64_t out_width) {
  std::vector<Integers> sets;
  const std::vector<uint8_t> codes = byte_pattern(), stats = stored(positive_pattern(), HB_FLOAT32);
  for (int i = 0; i < bench.copies(bytes); i++)
    sets.push_back({Tensor(bench.queue, shape.m * shape.k, codes), Tensor(bench.queue, shape.n * shape.k, codes), Tensor(bench.queue, shape.m * 4, stats),
                    Tensor(bench.queue, shape.n * 4, stats), Tensor(bench.queue, shape.m * shape.n * out_width)});
  return sets;
}

void run_product(Bench &bench, const Shape &shape) {
  const auto [m, n, k] = shape;
  const uint64_t bytes = (m + n) * k + m * n * 4;
  guarded_row(bench, {"int8_linear_matmul", named(shape), "int8", {m, n, k}, bytes, 2 * m * n * k}, [&] {
    const std::vector<Integers> sets = operands(bench, shape, bytes, 4);
    return bench.clock.measure(static_cast<int>(sets.size()), [&, m = m, n = n, k = k](int i) {
      const Integers &set = sets[i];
      must(hb_int8_linear_matmul(bench.queue, set.a.as<int8_t>(), set.b.as<int8_t>(), nullptr, m, n, k, set.out.as<int32_t>()));
    });
  });
}

void run_scaled(Bench &bench, const Shape &shape) {
  const auto [m, n, k] = shape;
  const uint64_t bytes = (m + n) * k + m * n * 2;
  guarded_row(bench, {"int8_mixed_scaled_mm", named(shape), "float16", {m, n, k}, bytes, 2 * m * n * k}, [&] {
    const std::vector<Integers> sets = operands(bench, shape, bytes, 2);
    return bench.clock.measure(static_cast<int>(sets.size()), [&, m = m, n = n, k = k](int i) {
      const Integers &set = sets[i];
      must(hb_int8_mixed_scaled_mm(bench.queue, nullptr, set.a.as<int8_t>(), set.b.as<int8_t>(), nullptr, set.row_stats.as<float>(),
                                   set.col_stats.as<float>(), nullptr, nullptr, 0, m, n, k, HB_REFERENCE, set.out, HB_FLOAT16));
    });
  });
}

}  // namespace

void run_int8(Bench &bench) {
  const std::vector<Shape> shapes = bench.is_tiny ? std::vector<Shape>{{3, 40, 96}} : std::vector<Shape>{{1, 4096, 4096}, {16, 4096, 4096}, {512, 4096, 4096}, {4096, 4096, 4096}};
  for (const hb_dtype dtype : {HB_FLOAT16, HB_BFLOAT16, HB_FLOAT32}) run_quantizer(bench, dtype, bench.is_tiny ? 8 : 16384, bench.is_tiny ? 96 : 4096);
  for (const Shape &shape : shapes) run_product(bench, shape);
  for (const Shape &shape : shapes) run_scaled(bench, shape);
}

}  // namespace hb::bench
