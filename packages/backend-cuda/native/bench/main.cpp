// bench [--tiny] [--suite NAME] [--only TEXT] [--device N]: lines of JSON on stdout, the first about the device.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "bench.h"

namespace hb::bench {

namespace {

uint64_t l2_bytes = 0;

std::string device_line(int device) {
#if defined(HB_EMULATED)
  (void)device;
  return "{ \"device\": \"emulated\", \"emulated\": true }";
#else
  cudaDeviceProp properties;
  expect(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  l2_bytes = static_cast<uint64_t>(properties.l2CacheSize);
  char text[400];
  std::snprintf(text, sizeof text, "{ \"device\": \"%s\", \"capability\": \"%d.%d\", \"multiprocessors\": %d, \"l2_bytes\": %" PRIu64 ", \"memory_bytes\": %zu }",
                properties.name, properties.major, properties.minor, properties.multiProcessorCount, l2_bytes, properties.totalGlobalMem);
  return text;
#endif
}

std::string described(const Row &row) {
  std::string shape;
  for (const uint64_t dimension : row.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(dimension);
  return "\"op\": \"" + row.op + "\", \"name\": \"" + row.name + "\", \"dtype\": \"" + row.dtype + "\", \"shape\": [" + shape + "]";
}

struct Suite {
  const char *name;
  void (*run)(Bench &);
};

constexpr Suite kSuites[] = {{"floors", run_floors}, {"codes", run_codes}, {"int8", run_int8}, {"optimizers", run_optimizers}, {"products", run_products_4bit}};

void run(Bench &bench, const std::string &wanted) {
  for (const Suite &suite : kSuites)
    if (wanted.empty() || wanted == suite.name) suite.run(bench);
}

}  // namespace

int Bench::copies(uint64_t bytes) const {
  const uint64_t wanted = 4 * l2_bytes / (bytes > 0 ? bytes : 1) + 1;
  return static_cast<int>(wanted < 2 ? 2 : wanted > 256 ? 256 : wanted);
}

void print(const Row &row, const Timing &timing) {
  std::printf("{ %s, \"seconds\": %.6g, \"best\": %.6g, \"calls\": %d, \"rounds\": %d, \"method\": \"%s\", \"bytes\": %" PRIu64 ", \"operations\": %" PRIu64
              ", \"relative_error\": %.4g, \"dense_error\": %.4g }\n",
              described(row).c_str(), timing.seconds, timing.best, timing.calls, timing.rounds, timing.method, row.bytes, row.operations, row.relative_error,
              row.dense_error);
  std::fflush(stdout);
}

void print_refused(const Row &row, int status) {
  std::printf("{ %s, \"status\": %d }\n", described(row).c_str(), status);
  std::fflush(stdout);
}

}  // namespace hb::bench

int main(int count, char **arguments) {
  using namespace hb::bench;
  bool is_tiny = false;
  int device = 0;
  std::string only, suite;
  for (int i = 1; i < count; i++) {
    const std::string argument = arguments[i];
    if (argument == "--tiny") is_tiny = true;
    else if (argument == "--only" && i + 1 < count) only = arguments[++i];
    else if (argument == "--suite" && i + 1 < count) suite = arguments[++i];
    else if (argument == "--device" && i + 1 < count) device = std::atoi(arguments[++i]);
    else return std::fprintf(stderr, "bench [--tiny] [--suite NAME] [--only TEXT] [--device N]\n"), 2;
  }
  hb_queue *queue = nullptr;
  if (const hb_status status = hb_queue_create(device, 0, &queue)) {
    std::fprintf(stderr, "no queue: status %d, error %d of the device\n", status, hb_last_error());
    return 1;
  }
  int code = 1;
  try {
    std::printf("%s\n", device_line(device).c_str());
    Clock clock(queue);
    Bench bench = {queue, clock, is_tiny, only};
    run(bench, suite);
    code = 0;
  } catch (const hb::CudaError &error) {
    std::fprintf(stderr, "%s: error %d of the device\n", error.call, static_cast<int>(error.code));
  } catch (const Refused &refused) {
    std::fprintf(stderr, "status %d\n", refused.status);
  }
  hb_queue_destroy(queue);
  return code;
}
