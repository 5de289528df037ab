#include "random_operations.h"

namespace fuzz {
namespace {

// ── Quantizers and decoders ──

Operation quantize_4bit(Random &random) {
  Operation op("quantize_4bit");
  const uint64_t size = random.size();
  const uint32_t block = random.pick({32u, 36u, 64u, 96u, 128u, 256u, 4096u});
  const hb_dtype dtype = random.dtype(), decoded = random.dtype();
  const hb_profile profile = random.profile();
  const std::vector<float> code = table4(random);
  const int x = op.in(wild(random, size, dtype)), table = op.in(bytes_of(code));
  const int codes = op.out(ceil_div(size, 2)), absmax = op.out(4 * ceil_div(size, block));
  const int fault = random.one_in(4) ? kNone : op.out(8), out = op.out(size * layout_of(decoded).bytes);
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    const hb_status status = hb_quantize_4bit(queue, t.at(x), dtype, size, code.data(), HB_TABLE, block, profile, t.at<uint8_t>(codes),
                                              t.at<float>(absmax), t.at<int64_t>(fault));
    if (status != HB_OK) return status;
    return hb_dequantize_4bit(queue, t.at<uint8_t>(codes), t.at<float>(absmax), t.at<float>(table), size, block, t.at(out), decoded);
  };
  return op;
}

Operation quantize_blockwise(Random &random) {
  Operation op("quantize_blockwise");
  const uint64_t size = random.size(), block = random.pick<uint64_t>({1, 7, 64, 100, 256, 4096});
  const hb_dtype dtype = random.dtype(), decoded = random.dtype();
  const hb_profile profile = random.profile();
  const float offset = random.one_in(2) ? 0 : static_cast<float>(random.unit());
  const int x = op.in(wild(random, size, dtype)), code = op.in(bytes_of(map8(random)));
  const int codes = op.out(size), absmax = op.out(4 * ceil_div(size, block)), fault = random.one_in(4) ? kNone : op.out(8);
  const int out = op.out(size * layout_of(decoded).bytes);
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    const hb_status status = hb_quantize_blockwise(queue, t.at(x), dtype, size, t.at<float>(code), block, profile, t.at<uint8_t>(codes),
                                                   t.at<float>(absmax), t.at<int64_t>(fault));
    if (status != HB_OK) return status;
    return hb_dequantize_blockwise(queue, t.at<uint8_t>(codes), t.at<float>(absmax), t.at<float>(code), size, block, offset, t.at(out), decoded);
  };
  return op;
}

// ── Errors ──

// A weight of any format, and its error from arbitrary values. Sums are f32, in an order of each instruction set's own.
Operation quantization_error(Random &random) {
  Operation op("quantization_error");
  const uint32_t entries = random.pick({0u, 16u, 256u});
  const uint64_t block = entries == 16 ? random.pick<uint64_t>({32, 36, 64, 128, 4096, 5000}) : random.pick<uint64_t>({1, 7, 64, 100, 256, 4096, 5000});
  const uint64_t size = entries == 0 ? block * random.between(1, 2 + 9000 / block) : random.size();
  const hb_dtype dtype = random.dtype();
  const Bytes table = entries == 16 ? bytes_of(table4(random)) : bytes_of(map8(random));
  const int x = op.in(random.one_in(2) ? wild(random, size, dtype) : moderate(random, size, dtype));
  const int codes = op.in(random_bytes(random, entries == 16 ? ceil_div(size, 2) : size)), absmax = op.in(positive(random, ceil_div(size, block)));
  const int code = entries == 0 ? kNone : op.in(table), sums = op.out(4 * HB_ERROR_COLUMNS * ceil_div(size, HB_ERROR_SEGMENT));
  op.exact = false;
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    return hb_quantization_error(queue, t.at(x), dtype, size, t.at(codes), t.at<float>(absmax), t.at<float>(code), entries, block, t.at<float>(sums));
  };
  return op;
}

// ── Matrix products ──

// Where the elements of a product lie, and what they are made of.
struct Product {
  uint64_t rows, columns, terms;
  hb_dtype dtype;
  double relative_error;  // of the sum of magnitudes
  std::function<double(uint64_t row, uint64_t column, uint64_t term)> factor;
  std::function<double(uint64_t column)> bias;
};

bool is_within(const Product &p, const Bytes &out, uint64_t row, uint64_t column) {
  double exact = p.bias(column), magnitude = std::fabs(exact);
  for (uint64_t i = 0; i < p.terms; i++) {
    const double term = p.factor(row, column, i);
    exact += term;
    magnitude += std::fabs(term);
  }
  const double bound = p.relative_error * magnitude, unit = std::ldexp(0.5, -layout_of(p.dtype).mantissa_bits);
  return std::fabs(value_at(out, p.dtype, row * p.columns + column) - exact) <= bound + unit * (std::fabs(exact) + bound) + 0x1p-25;
}

// A few elements of each product: all of them are compared with the other queue's.
const char *judge_product(const Product &p, const Bytes &out, uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 16; i++) {
    if (!is_within(p, out, random.below(p.rows), random.below(p.columns))) return "an element is out of its bound";
  }
  return nullptr;
}

double exact_error(uint64_t k) { return 4 * std::sqrt(static_cast<double>(k)) * 0x1p-24; }

Operation gemm_4bit(Random &random) {
  Operation op("gemm_4bit");
  const uint64_t m = random.side(), n = random.side(), k = random.one_in(3) ? random.between(1, 1500) : 64 * random.between(1, 8);
  const uint32_t block = random.pick({32u, 64u, 128u, 256u});
  const hb_dtype dtype = random.dtype(), bias_dtype = random.dtype();
  const hb_accuracy accuracy = random.pick<hb_accuracy>({HB_EXACT, HB_FAST, HB_TURBO});
  const Bytes x = moderate(random, m * k, dtype), codes = random_bytes(random, ceil_div(n * k, 2)), bias = moderate(random, n, bias_dtype);
  const Bytes absmax = positive(random, ceil_div(n * k, block));
  const std::vector<float> code = table4(random);
  const bool biased = random.one_in(2), packs = random.one_in(2);
  const uint64_t packed_bytes = packs ? hb_pack_4bit_bytes(n, k, block) : 0;
  const int xs = op.in(x), weight = op.in(codes), scales = op.in(absmax), table = op.in(bytes_of(code));
  const int biases = biased ? op.in(bias) : kNone, packed = packed_bytes ? op.scratch(packed_bytes) : kNone;
  const int out = op.out(m * n * layout_of(dtype).bytes);
  op.exact = false;
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    if (packed != kNone) {
      const hb_status status = hb_pack_4bit(queue, t.at<uint8_t>(weight), t.at<float>(scales), block, n, k, t.at(packed));
      if (status != HB_OK) return status;
    }
    return hb_gemm_4bit(queue, t.at(xs), dtype, t.at<uint8_t>(weight), t.at<float>(scales), t.at(packed), t.at<float>(table), block, accuracy,
                        t.at(biases), bias_dtype, m, n, k, t.at(out));
  };
  const auto factor = [=](uint64_t row, uint64_t column, uint64_t i) {
    const uint64_t flat = column * k + i;
    const int nibble = flat % 2 ? codes[flat / 2] & 15 : codes[flat / 2] >> 4;
    return value_at(x, dtype, row * k + i) * static_cast<double>(code[static_cast<size_t>(nibble)]) * value_at(absmax, HB_FLOAT32, flat / block);
  };
  const double error = accuracy == HB_TURBO ? 0x1p-6 : accuracy == HB_FAST ? 0x1p-13 : exact_error(k);
  const Product product = {m, n, k, dtype, error, factor, [=](uint64_t column) { return biased ? value_at(bias, bias_dtype, column) : 0; }};
  op.judge = [=, seed = random.next()](const Results &results) { return judge_product(product, results[static_cast<size_t>(out)], seed); };
  return op;
}

Operation gemm(Random &random) {
  Operation op("gemm");
  const uint64_t m = random.side(), n = random.side(), k = random.between(1, random.one_in(4) ? 1500 : 100);
  const bool transpose = random.one_in(2), biased = random.one_in(2);
  const uint64_t terms = transpose ? n : k, columns = transpose ? k : n;
  const hb_dtype dtype = random.dtype(), weight_dtype = random.dtype(), bias_dtype = random.dtype();
  const Bytes x = moderate(random, m * terms, dtype), weight = moderate(random, n * k, weight_dtype), bias = moderate(random, columns, bias_dtype);
  const int xs = op.in(x), weights = op.in(weight), biases = biased ? op.in(bias) : kNone, out = op.out(m * columns * layout_of(dtype).bytes);
  op.exact = false;
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    return hb_gemm(queue, t.at(xs), dtype, t.at(weights), weight_dtype, t.at(biases), bias_dtype, m, n, k, transpose, t.at(out));
  };
  const auto factor = [=](uint64_t row, uint64_t column, uint64_t i) {
    return value_at(x, dtype, row * terms + i) * value_at(weight, weight_dtype, transpose ? i * k + column : column * k + i);
  };
  const auto bias_at = [=](uint64_t column) { return biased ? value_at(bias, bias_dtype, column) : 0; };
  const Product product = {m, columns, terms, dtype, exact_error(terms), factor, bias_at};
  op.judge = [=, seed = random.next()](const Results &results) { return judge_product(product, results[static_cast<size_t>(out)], seed); };
  return op;
}

// ── LLM.int8() ──

Operation int8_rows(Random &random) {
  Operation op("int8_vectorwise_quant");
  const uint64_t size = random.size(), k = random.between(1, std::min<uint64_t>(size, 2000)), rows = ceil_div(size, k);
  const hb_dtype dtype = random.dtype();
  const float threshold = random.one_in(2) ? 0 : static_cast<float>(random.unit());
  const int x = op.in(random.one_in(2) ? wild(random, rows * k, dtype) : moderate(random, rows * k, dtype));
  const int q = op.out(rows * k), row_stats = op.out(4 * rows), mask = op.out(k), fault = random.one_in(4) ? kNone : op.out(8);
  const int out = op.out(4 * rows * k);
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    const hb_status status = hb_int8_vectorwise_quant(queue, t.at(x), dtype, rows, k, threshold, t.at<int8_t>(q), t.at<float>(row_stats),
                                                      t.at<uint8_t>(mask), t.at<int64_t>(fault));
    if (status != HB_OK) return status;
    return hb_int8_vectorwise_dequant(queue, t.at<int8_t>(q), t.at<float>(row_stats), rows, k, t.at<float>(out));
  };
  return op;
}

// The integer product, then its scaling; and both in one with outlier columns.
Operation int8_products(Random &random) {
  Operation op("int8_linear_matmul, _mm_dequant, _mixed_scaled_mm");
  const uint64_t m = random.side(), n = random.side(), k = random.between(1, random.one_in(4) ? 1500 : 100);
  const hb_dtype dtype = random.dtype(), bias_dtype = random.dtype();
  const hb_profile profile = random.profile();
  const bool packs = random.one_in(2), mixed = random.one_in(2);
  const uint64_t packed_bytes = packs ? hb_pack_int8_bytes(n, k) : 0;
  const int a = op.in(random_bytes(random, m * k)), b = op.in(random_bytes(random, n * k));
  const int packed = packed_bytes ? op.scratch(packed_bytes) : kNone, bias = random.one_in(2) ? op.in(moderate(random, n, bias_dtype)) : kNone;
  const int row_stats = op.in(positive(random, m)), col_stats = op.in(positive(random, n)), x = op.in(moderate(random, m * k, dtype));
  Bytes columns(k);
  for (uint8_t &column : columns) column = random.one_in(16);
  const int mask = op.in(columns), sums = op.out(4 * m * n), scaled = op.out(m * n * layout_of(dtype).bytes);
  const int once = op.out(m * n * layout_of(dtype).bytes);
  op.launch = [=](hb_queue *queue, const Addresses &t) {
    hb_status status = packed == kNone ? HB_OK : hb_pack_int8(queue, t.at<int8_t>(b), n, k, t.at(packed));
    if (status != HB_OK) return status;
    status = hb_int8_linear_matmul(queue, t.at<int8_t>(a), t.at<int8_t>(b), t.at(packed), m, n, k, t.at<int32_t>(sums));
    if (status != HB_OK) return status;
    status = hb_int8_mm_dequant(queue, t.at<int32_t>(sums), t.at<float>(row_stats), t.at<float>(col_stats), t.at(bias), bias_dtype, m, n, profile,
                                t.at(scaled), dtype);
    if (status != HB_OK) return status;
    return hb_int8_mixed_scaled_mm(queue, mixed ? t.at(x) : nullptr, t.at<int8_t>(a), t.at<int8_t>(b), t.at(packed), t.at<float>(row_stats),
                                   t.at<float>(col_stats), mixed ? t.at<uint8_t>(mask) : nullptr, t.at(bias), bias_dtype, m, n, k, profile,
                                   t.at(once), dtype);
  };
  if (!mixed) {
    op.judge = [=](const Results &results) {
      return results[static_cast<size_t>(scaled)] == results[static_cast<size_t>(once)] ? nullptr : "in one step it differs from two";
    };
  }
  return op;
}

// ── Optimizers ──

hb_step random_step(Random &random) {
  hb_step step{};
  step.lr = 0.01 * random.unit();
  step.beta1 = 0.5 + 0.49 * random.unit();
  step.beta2 = 0.9 + 0.099 * random.unit();
  step.beta3 = 0.9 + 0.099 * random.unit();
  step.alpha = 5 * random.unit();
  step.eps = 1e-8;
  step.weight_decay = random.one_in(2) ? 0 : 0.1 * random.unit();
  step.grad_scale = random.one_in(2) ? 1 : random.unit();
  step.max_unorm = random.one_in(3) ? random.unit() : 0;
  step.step = static_cast<int64_t>(random.between(1, 100));
  step.skip_zeros = random.one_in(4);
  return step;
}

struct OptimizerState {
  hb_optimizer optimizer;
  bool has_second;
  uint64_t stacked;
};
OptimizerState random_optimizer(Random &random) {
  const hb_optimizer optimizer = random.pick<hb_optimizer>({HB_ADAM, HB_ADEMAMIX, HB_MOMENTUM, HB_LION, HB_RMSPROP, HB_ADAGRAD});
  return {optimizer, optimizer == HB_ADAM || optimizer == HB_ADEMAMIX, optimizer == HB_ADEMAMIX ? 2u : 1u};
}

Operation optimizer_32bit(Random &random) {
  Operation op("optimizer_update_32bit");
  const uint64_t size = random.size();
  const auto [optimizer, has_second, stacked] = random_optimizer(random);
  const hb_dtype dtype = random.dtype(), grad_dtype = random.dtype();
  const hb_step step = random_step(random);
  const hb_profile profile = random.profile();
  const int trust = random.one_in(2);
  const int param = op.inout(moderate(random, size, dtype)), grad = op.in(moderate(random, size, grad_dtype));
  const int state1 = op.inout(positive(random, stacked * size)), state2 = has_second ? op.inout(positive(random, size)) : kNone;
  const int norm = op.inout(Bytes(4));
  // Norms are sums in float64, in an order of each instruction set's own.
  op.exact = step.max_unorm == 0;
  op.launch = [=, optimizer = optimizer](hb_queue *queue, const Addresses &t) {
    return hb_optimizer_update_32bit(queue, optimizer, t.at(param), t.at(grad), dtype, grad_dtype, t.at<float>(state1), t.at<float>(state2), size,
                                     &step, profile, trust, t.at<float>(norm));
  };
  return op;
}

Operation optimizer_8bit(Random &random) {
  Operation op("optimizer_update_8bit_blockwise");
  const uint64_t size = random.size() % 20000 + 1, block = random.pick<uint64_t>({64, 100, 256});
  const uint64_t blocks = ceil_div(size, block);
  const auto [optimizer, has_second, stacked] = random_optimizer(random);
  const hb_dtype dtype = random.dtype(), grad_dtype = random.dtype();
  hb_step step = random_step(random);
  step.max_unorm = 0;
  const hb_profile profile = random.profile();
  std::vector<float> squares = map8(random);
  for (float &value : squares) value = std::fabs(value);
  std::sort(squares.begin(), squares.end());
  // A second moment that is never negative: AdaGrad and RMSprop keep theirs in the first state.
  const bool is_square = optimizer == HB_RMSPROP || optimizer == HB_ADAGRAD;
  const int param = op.inout(moderate(random, size, dtype)), grad = op.in(moderate(random, size, grad_dtype));
  const int state1 = op.inout(random_bytes(random, stacked * size)), absmax1 = op.inout(positive(random, stacked * blocks));
  const int code1 = op.in(bytes_of(is_square ? squares : map8(random))), code2 = has_second ? op.in(bytes_of(squares)) : kNone;
  const int state2 = has_second ? op.inout(random_bytes(random, size)) : kNone, absmax2 = has_second ? op.inout(positive(random, blocks)) : kNone;
  op.launch = [=, optimizer = optimizer](hb_queue *queue, const Addresses &t) {
    return hb_optimizer_update_8bit_blockwise(queue, optimizer, t.at(param), t.at(grad), dtype, grad_dtype, t.at<uint8_t>(state1),
                                              t.at<uint8_t>(state2), t.at<float>(code1), t.at<float>(code2), t.at<float>(absmax1),
                                              t.at<float>(absmax2), size, block, &step, profile);
  };
  return op;
}

}  // namespace

Operation random_operation(Random &random) {
  using Make = Operation (*)(Random &);
  return random.pick<Make>({quantize_4bit, quantize_blockwise, quantization_error, gemm_4bit, gemm, int8_rows, int8_products, optimizer_32bit, optimizer_8bit})(random);
}

}  // namespace fuzz
