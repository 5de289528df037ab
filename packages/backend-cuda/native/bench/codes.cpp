// Quantizing and dequantizing, 4-bit and blockwise 8-bit.
#include "bench.h"
#include "halfbyte_formats.h"
#include "operands.h"

namespace hb::bench {

namespace {

// One tensor with its codes, as large as a weight of 8192 × 28672: no cache holds a part that matters.
class Coded {
 public:
  Coded(Bench &bench, hb_dtype dtype, int bits, uint64_t block_size)
      : bench_(bench),
        dtype_(dtype),
        bits_(bits),
        block_(block_size),
        size_(bench.is_tiny ? 8192 : uint64_t{8192} * 28672),
        x_(bench.queue, size_ * width_of(dtype), stored(normal_pattern(), dtype)),
        codes_(bench.queue, size_ * bits / 8, byte_pattern()),
        absmax_(bench.queue, size_ / block_size * 4, stored(positive_pattern(), HB_FLOAT32)),
        table_(bench.queue, 1024, stored(table(bits), HB_FLOAT32)) {}

  void run() {
    const std::string kind = bits_ == 4 ? "nf4" : "8-bit";
    one("quantize", kind, [this] { must(bits_ == 4 ? quantize_4bit() : quantize_8bit()); });
    one("dequantize", kind, [this] { must(bits_ == 4 ? dequantize_4bit() : dequantize_8bit()); });
  }

 private:
  // 16 codes, or 256 sorted numbers whose steps grow away from 0 as those of the dynamic map.
  static std::vector<float> table(int bits) {
    if (bits == 4) return std::vector<float>(HB_NF4_CODE, HB_NF4_CODE + 16);
    std::vector<float> values(256);
    for (int i = 0; i < 256; i++) {
      const float t = static_cast<float>(i - 127) / 128;
      values[i] = t * t * t;
    }
    return values;
  }

  template <class Call>
  void one(const char *verb, const std::string &kind, const Call &call) {
    const std::string op = std::string(verb) + (bits_ == 4 ? "_4bit" : "_blockwise");
    const Row row = {op, kind + " block " + std::to_string(block_), name_of(dtype_), {size_}, x_.bytes() + codes_.bytes() + absmax_.bytes()};
    if (!bench_.wants(row.op + " " + row.name)) return;
    try {
      print(row, bench_.clock.measure(1, [&](int) { call(); }));
    } catch (const Refused &refused) {
      print_refused(row, refused.status);
    }
  }

  hb_status quantize_4bit() {
    return hb_quantize_4bit(bench_.queue, x_, dtype_, size_, HB_NF4_CODE, HB_NF4, static_cast<uint32_t>(block_), HB_REFERENCE, codes_.as<uint8_t>(),
                            absmax_.as<float>(), nullptr);
  }
  hb_status dequantize_4bit() {
    return hb_dequantize_4bit(bench_.queue, codes_.as<uint8_t>(), absmax_.as<float>(), table_.as<float>(), size_, static_cast<uint32_t>(block_), x_, dtype_);
  }
  hb_status quantize_8bit() {
    return hb_quantize_blockwise(bench_.queue, x_, dtype_, size_, table_.as<float>(), block_, HB_REFERENCE, codes_.as<uint8_t>(), absmax_.as<float>(), nullptr);
  }
  hb_status dequantize_8bit() {
    return hb_dequantize_blockwise(bench_.queue, codes_.as<uint8_t>(), absmax_.as<float>(), table_.as<float>(), size_, block_, 0, x_, dtype_);
  }

  Bench &bench_;
  const hb_dtype dtype_;
  const int bits_;
  const uint64_t block_, size_;
  const Tensor x_, codes_, absmax_, table_;
};

}  // namespace

void run_codes(Bench &bench) {
  for (const hb_dtype dtype : {HB_FLOAT32, HB_FLOAT16, HB_BFLOAT16}) {
    Coded(bench, dtype, 4, 64).run();
    Coded(bench, dtype, 8, 256).run();
  }
  Coded(bench, HB_FLOAT32, 8, 4096).run();
}

}  // namespace hb::bench
