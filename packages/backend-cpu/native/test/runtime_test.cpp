// The runtime's promises, through halfbyte.h wherever it shows them: order, waiting, failure, threads, memory, merged results.
//
// A plain program: prints one line per case, exits 1 when a check fails. Run it under the sanitizers too (CMakeLists.txt).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "cost.h"
#include "float16.h"
#include "halfbyte.h"
#include "kernels.h"
#include "memory.h"
#include "pool.h"
#include "queue.h"

namespace {

int failures = 0;

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::printf("  FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition);         \
      failures++;                                                                  \
    }                                                                              \
  } while (0)

// ── Tools ──

struct Random {
  uint32_t state = 1;
  uint32_t next() { return state = state * 1664525u + 1013904223u; }
  float unit() { return static_cast<float>(next() >> 8) * 0x1p-23f - 1; }
};

std::vector<float> random_floats(uint64_t count, uint32_t seed = 1) {
  Random random{seed};
  std::vector<float> values(count);
  for (float &value : values) value = random.unit();
  return values;
}

std::vector<int8_t> random_codes(uint64_t count, uint32_t seed) {
  Random random{seed};
  std::vector<int8_t> values(count);
  for (int8_t &value : values) value = static_cast<int8_t>(static_cast<int>(random.next() >> 24) % 255 - 127);
  return values;
}

class Device {
 public:
  explicit Device(int threads, bool inline_allowed = false) {
    CHECK(hb_queue_create(0, threads, &queue_) == HB_OK);
    hb_queue_allow_inline(queue_, inline_allowed);
  }
  ~Device() { hb_queue_destroy(queue_); }
  Device(const Device &) = delete;

  operator hb_queue *() const { return queue_; }
  hb_status finish() const { return hb_queue_wait(queue_, hb_queue_last(queue_)); }

  template <class T>
  T *alloc(uint64_t count, bool zeroed = false) const {
    return static_cast<T *>(hb_alloc(queue_, count * sizeof(T), zeroed));
  }
  template <class T>
  T *upload(const std::vector<T> &values) const {
    T *tensor = alloc<T>(values.size());
    hb_write(queue_, tensor, 0, values.data(), values.size() * sizeof(T), 0);
    return tensor;
  }
  template <class T>
  std::vector<T> download(const T *tensor, uint64_t count) const {
    std::vector<T> values(count);
    hb_read(queue_, tensor, 0, values.data(), count * sizeof(T));
    CHECK(finish() == HB_OK);
    return values;
  }
  void free(void *tensor) const { hb_free(queue_, tensor); }

 private:
  hb_queue *queue_ = nullptr;
};

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// An entry that lasts until it is let go.
class Gate {
 public:
  explicit Gate(hb_queue *queue) {
    queue->push(1e18, {hb::once([this] {
      while (!open_.load(std::memory_order_acquire)) std::this_thread::yield();
    })});
  }
  void open() { open_.store(true, std::memory_order_release); }

 private:
  std::atomic<bool> open_{false};
};

// Enough work for a loop to be cut into all its ranges.
hb::Rows many_rows(uint64_t count) { return {count, hb::smallest_range()}; }

// ── Pool ──

void pool_covers_every_row_once() {
  for (const int threads : {1, 2, 3, 8}) {
    const hb::Parallel parallel(threads);
    for (const uint64_t rows : {1, 2, 7, 100, 4097}) {
      for (const uint64_t align : {1, 8, 64}) {
        std::vector<int> seen(rows, 0);
        parallel.loop({rows, hb::smallest_range(), align}, [&](uint64_t begin, uint64_t end, int slot) {
          CHECK(begin % align == 0 && begin < end && end <= rows && slot >= 0 && slot < threads);
          for (uint64_t row = begin; row < end; row++) seen[row]++;
        });
        for (const int count : seen) CHECK(count == 1);
      }
    }
  }
}

void pool_does_not_cut_small_loops() {
  const hb::Parallel parallel(4);
  int calls = 0;
  parallel.loop({1000, 1}, [&](uint64_t begin, uint64_t end, int) {
    calls++;
    CHECK(begin == 0 && end == 1000);
  });
  parallel.loop({0}, [&](uint64_t, uint64_t, int) { calls++; });
  CHECK(calls == 1);
}

void pool_is_joined_with_the_last_share() {
  CHECK(hb::worker_count() == 0);
  {
    const Device first(2);
    CHECK(hb::worker_count() == 1);
    {
      const Device second(4);
      CHECK(hb::worker_count() == 3);
    }
    CHECK(hb::worker_count() == 3);
  }
  CHECK(hb::worker_count() == 0);
  for (int i = 0; i < 20; i++) const Device again(3);
  CHECK(hb::worker_count() == 0);
}

void pool_serves_many_callers() {
  std::vector<std::thread> callers;
  std::atomic<uint64_t> total{0};
  for (int c = 0; c < 4; c++) {
    callers.emplace_back([&] {
      const hb::Parallel parallel(3);
      for (int i = 0; i < 200; i++) {
        std::atomic<uint64_t> sum{0};
        parallel.loop(many_rows(50), [&](uint64_t begin, uint64_t end, int) {
          for (uint64_t row = begin; row < end; row++) sum += row;
        });
        CHECK(sum == 49 * 50 / 2);
        total += sum;
        if (i % 50 == 0) sleep_ms(1);  // lets workers park
      }
    });
  }
  for (std::thread &caller : callers) caller.join();
  CHECK(total == 4 * 200 * (49 * 50 / 2));
  CHECK(hb::worker_count() == 0);
}

void pool_passes_errors_on() {
  const hb::Parallel parallel(3);
  for (int i = 0; i < 50; i++) {
    bool caught = false;
    try {
      parallel.loop(many_rows(40), [&](uint64_t begin, uint64_t, int) {
        if (begin >= 20) throw std::runtime_error("row");
      });
    } catch (const std::runtime_error &) {
      caught = true;
    }
    CHECK(caught);
  }
}

#if defined(__linux__)
int cores_of_this_thread() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : -1;
}

void pool_pins_workers_when_asked() {
  setenv("HALFBYTE_PIN_THREADS", "1", 1);
  const int callers_cores = cores_of_this_thread();
  const hb::Parallel parallel(2);
  std::atomic<int> workers_cores{0};
  while (workers_cores == 0) {
    parallel.loop(many_rows(8), [&](uint64_t, uint64_t, int slot) {
      if (slot > 0) workers_cores = cores_of_this_thread();
      else sleep_ms(1);
    });
  }
  CHECK(workers_cores == 1 && cores_of_this_thread() == callers_cores);
  unsetenv("HALFBYTE_PIN_THREADS");
}
#endif

void threads_come_from_option_then_environment() {
  setenv("HALFBYTE_THREADS", "3", 1);
  CHECK(hb::thread_count(5) == 5);
  CHECK(hb::thread_count(0) == 3);
  setenv("HALFBYTE_THREADS", "many", 1);
  const int of_machine = hb::thread_count(0);
  unsetenv("HALFBYTE_THREADS");
  CHECK(of_machine == hb::thread_count(0) && of_machine >= 1);
}

// ── Queue ──

void queue_runs_entries_in_order() {
  for (const bool inline_allowed : {false, true}) {
    const Device device(2, inline_allowed);
    hb_queue *const queue = device;
    std::vector<int> order;
    for (int i = 0; i < 5000; i++) queue->push(i % 3 == 0 ? 1e18 : 1, {hb::once([&order, i] { order.push_back(i); })});
    CHECK(device.finish() == HB_OK);
    CHECK(order.size() == 5000);
    for (int i = 0; i < 5000; i++) CHECK(order[i] == i);
  }
}

void queue_counts_entries() {
  const Device device(1);
  CHECK(hb_queue_last(device) == 0);
  CHECK(hb_queue_wait(device, 0) == HB_OK);
  CHECK(hb_queue_wait(device, 7) == HB_FAILED);
  Gate gate(device);
  hb_queue *const queue = device;
  queue->push(1, {hb::once([] {})});
  CHECK(hb_queue_last(device) == 2);
  CHECK(!hb_queue_done(device, 1) && !hb_queue_done(device, 2));
  gate.open();
  CHECK(hb_queue_wait(device, 2) == HB_OK);
  CHECK(hb_queue_done(device, 1) && hb_queue_done(device, 2) && !hb_queue_done(device, 3));
}

void queue_keeps_small_entries_on_the_caller() {
  const Device device(1, true);
  hb_queue *const queue = device;
  std::thread::id ran;
  const hb::Task note = {hb::once([&ran] { ran = std::this_thread::get_id(); })};
  queue->push(hb::inline_limit(), note);
  CHECK(ran == std::this_thread::get_id());
  queue->push(hb::inline_limit() * 2, note);
  device.finish();
  CHECK(ran != std::this_thread::get_id());
  Gate gate(device);
  queue->push(1, note);
  gate.open();
  device.finish();
  CHECK(ran != std::this_thread::get_id());
  hb_queue_allow_inline(device, 0);
  queue->push(1, note);
  device.finish();
  CHECK(ran != std::this_thread::get_id());
}

void queue_takes_entries_from_many_threads() {
  const Device device(2, true);
  hb_queue *const queue = device;
  uint64_t running = 0, done = 0;  // not atomic: entries never run side by side
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; c++) {
    callers.emplace_back([&, c] {
      uint64_t mine = 0;
      for (uint64_t i = 1; i <= 500; i++) {
        queue->push(i % 2 ? 1 : 1e18, {hb::once([&, i] {
          CHECK(++running == 1);
          CHECK(mine == i - 1);
          mine = i;
          done++;
          running--;
        })});
        if (i % 100 == 0) hb_queue_wait(queue, hb_queue_last(queue));
        if (i % 50 == 0) hb_queue_allow_inline(queue, c % 2);
      }
      hb_queue_wait(queue, hb_queue_last(queue));
    });
  }
  for (std::thread &caller : callers) caller.join();
  CHECK(done == 3000 && hb_queue_last(queue) == 3000);
}

void queue_reports_failures_to_waiters() {
  for (const bool inline_allowed : {false, true}) {
    const Device device(2, inline_allowed);
    hb_queue *const queue = device;
    queue->push(1, {hb::once([] {})});
    queue->push(1, {hb::once([] { throw std::runtime_error("entry"); })});
    queue->push(1, {hb::once([] { throw std::bad_alloc(); })});
    queue->push(1, {hb::once([] {})});
    CHECK(device.finish() == HB_OK);
    CHECK(hb_queue_wait(device, 1) == HB_OK);
    CHECK(hb_queue_wait(device, 2) == HB_FAILED);
    CHECK(hb_queue_wait(device, 3) == HB_OUT_OF_MEMORY);
  }
  const Device device(1);
  hb_queue *const queue = device;
  queue->push(1, {hb::once([] { hb::memory::Scratch<char> more_than_there_is(uint64_t{1} << 50); })});
  CHECK(device.finish() == HB_OUT_OF_MEMORY);
}

void destroy_finishes_the_work() {
  std::atomic<int> done{0};
  {
    const Device device(2);
    hb_queue *const queue = device;
    for (int i = 0; i < 100; i++) queue->push(1, {hb::once([&done] { done++; })});
  }
  CHECK(done == 100);
}

void destroy_lets_waiters_go() {
  for (int i = 0; i < 10; i++) {
    std::thread waiter;
    std::atomic<bool> waits{false};
    {
      const Device device(1);
      hb_queue *const queue = device;
      queue->push(1, {hb::once([] { sleep_ms(40); })});
      waiter = std::thread([&waits, queue] {
        waits = true;
        CHECK(hb_queue_wait(queue, 1) == HB_OK);
      });
      while (!waits) std::this_thread::yield();
      sleep_ms(10);  // it is inside the call by now
    }
    waiter.join();
  }
}

// ── Memory ──

void memory_is_aligned_padded_and_zeroed() {
  const Device device(2);
  for (const uint64_t bytes : {0, 1, 63, 64, 65, 1000, 100001}) {
    char *dirty = device.alloc<char>(bytes);
    std::memset(dirty, 0x5a, bytes);
    device.free(dirty);
    device.finish();
    for (const bool zeroed : {false, true}) {
      char *block = device.alloc<char>(bytes, zeroed);
      device.finish();
      CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
      for (uint64_t i = zeroed ? 0 : bytes; i < hb::memory::padded(bytes); i++) CHECK(block[i] == 0);
      device.free(block);
      device.finish();
    }
  }
}

void memory_is_reused_and_trimmed() {
  CHECK(hb::memory::counters().used == 0 && hb::memory::counters().pooled == 0);
  {
    const Device device(1);
    uint64_t used, pooled;
    void *first = hb_alloc(device, 1 << 20, 0);
    hb_memory(device, &used, &pooled);
    CHECK(used == 1 << 20 && pooled == 0);
    device.free(first);
    device.finish();
    hb_memory(device, &used, &pooled);
    CHECK(used == 0 && pooled == 1 << 20);
    CHECK(hb_alloc(device, (1 << 20) - 100, 0) == first);
    device.free(first);
    const Device other(1);
  }
  CHECK(hb::memory::counters().used == 0 && hb::memory::counters().pooled == 0);
}

void free_waits_for_its_turn() {
  const Device device(1, true);
  void *block = hb_alloc(device, 4096, 0);
  Gate gate(device);
  device.free(block);
  void *next = hb_alloc(device, 4096, 0);
  CHECK(next != block);
  gate.open();
  device.finish();
  CHECK(hb_alloc(device, 4096, 0) == block);
  device.free(block);
  device.free(next);
}

void size_classes_waste_little() {
  const Device device(1);
  for (uint64_t bytes = 1; bytes < (uint64_t{1} << 28); bytes += bytes / 7 + 1) {
    void *block = hb::memory::take(bytes);
    const uint64_t used = hb::memory::counters().used;
    CHECK(used >= bytes && (bytes <= 512 ? used < bytes + 64 : used < bytes + bytes / 8 + 64));
    hb::memory::release(block);
    hb::memory::trim();
  }
}

void alloc_failure_is_null() {
  const Device device(1);
  CHECK(hb_alloc(device, uint64_t{1} << 60, 0) == nullptr);
  CHECK(hb_alloc(device, ~uint64_t{0}, 1) == nullptr);
  CHECK(device.finish() == HB_OK);
}

// ── Copies ──

void writes_take_their_bytes_at_once() {
  for (const bool busy : {false, true}) {
    const Device device(2);
    std::vector<float> values = random_floats(100000);
    const std::vector<float> expected = values;
    float *tensor = device.alloc<float>(values.size());
    Gate gate(device);
    if (!busy) {
      gate.open();
      device.finish();
    }
    CHECK(hb_write(device, tensor, 0, values.data(), values.size() * 4, 0) == HB_OK);
    std::fill(values.begin(), values.end(), 0.f);
    gate.open();
    CHECK(device.download(tensor, values.size()) == expected);
    const float marker = 7;
    hb_write(device, tensor, 40, &marker, 4, 1);
    CHECK(device.download(tensor + 10, 1)[0] == 7);
    device.free(tensor);
  }
}

// ── Operations ──

constexpr float kCode4[16] = {-1, -.8f, -.6f, -.4f, -.3f, -.2f, -.1f, 0, .1f, .2f, .3f, .4f, .5f, .6f, .8f, 1};

std::vector<float> map8() {
  std::vector<float> code(256);
  for (int i = 0; i < 256; i++) code[i] = static_cast<float>(i - 127) / 128;
  return code;
}

template <class T>
void append(std::string &bytes, const std::vector<T> &values) {
  bytes.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}

// The lowest fault of all ranges wins, whichever thread finds its own first.
void faults_are_merged_to_the_lowest() {
  const uint64_t size = 1 << 21;
  std::vector<float> values = random_floats(size);
  const Device device(4);
  float *code = device.upload(map8());
  uint8_t *codes = device.alloc<uint8_t>(size);
  float *absmax = device.alloc<float>(size / 64);
  int64_t *fault = device.alloc<int64_t>(1);
  const auto faults_of = [&](const std::vector<float> &host, int64_t expected) {
    float *x = device.upload(host);
    CHECK(hb_quantize_4bit(device, x, HB_FLOAT32, size, kCode4, HB_TABLE, 64, HB_REFERENCE, codes, absmax, fault) == HB_OK);
    CHECK(device.download(fault, 1)[0] == expected);
    hb_quantize_blockwise(device, x, HB_FLOAT32, size, code, 256, HB_REFERENCE, codes, absmax, fault);
    CHECK(device.download(fault, 1)[0] == expected);
    hb_int8_vectorwise_quant(device, x, HB_FLOAT32, size / 1024, 1024, 0, reinterpret_cast<int8_t *>(codes), absmax, codes, fault);
    CHECK(device.download(fault, 1)[0] == expected);
    device.free(x);
  };
  faults_of(values, -1);
  values[size - 1] = std::numeric_limits<float>::infinity();
  faults_of(values, size - 1);
  values[size / 2 + 5] = std::numeric_limits<float>::quiet_NaN();
  values[size / 3] = -std::numeric_limits<float>::infinity();
  faults_of(values, size / 3);
  values[0] = std::numeric_limits<float>::quiet_NaN();
  faults_of(values, 0);
  for (void *tensor : {static_cast<void *>(code), static_cast<void *>(codes), static_cast<void *>(absmax), static_cast<void *>(fault)})
    device.free(tensor);
}

// Tables and steps of the host are read before the call returns; those of the device when their turn comes.
void arguments_are_read_when_they_should_be() {
  const Device device(2);
  const std::vector<float> host = random_floats(64);
  float *x = device.upload(host);
  float *code = device.alloc<float>(256);
  uint8_t *codes = device.alloc<uint8_t>(64);
  float *absmax = device.alloc<float>(1);
  float *out = device.alloc<float>(64);
  device.finish();
  Gate gate(device);
  std::vector<float> table(kCode4, kCode4 + 16);
  hb_write(device, code, 0, kCode4, sizeof kCode4, 0);
  hb_quantize_4bit(device, x, HB_FLOAT32, 64, table.data(), HB_TABLE, 64, HB_REFERENCE, codes, absmax, nullptr);
  std::fill(table.begin(), table.end(), 0.f);
  hb_dequantize_4bit(device, codes, absmax, code, 64, 64, out, HB_FLOAT32);
  gate.open();
  const std::vector<float> decoded = device.download(out, 64);
  for (int i = 0; i < 64; i++) CHECK(std::fabs(decoded[i] - host[i]) <= 0.11f);
  for (void *tensor : {static_cast<void *>(x), static_cast<void *>(code), static_cast<void *>(codes), static_cast<void *>(absmax),
                       static_cast<void *>(out)})
    device.free(tensor);
}

// Every operation, to bytes.
std::string results_with(int threads) {
  const Device device(threads);
  std::string bytes;
  const uint64_t m = 150, n = 300, k = 1024, size = n * k;
  float *x = device.upload(random_floats(m * k, 2));
  float *w = device.upload(random_floats(size, 3));
  float *bias = device.upload(random_floats(n, 4));
  float *code = device.upload(map8());
  float *code4 = device.upload(std::vector<float>(kCode4, kCode4 + 16));
  uint8_t *codes = device.alloc<uint8_t>(size);
  float *absmax = device.alloc<float>(size / 64);
  float *out = device.alloc<float>(size);

  hb_quantize_4bit(device, w, HB_FLOAT32, size, kCode4, HB_TABLE, 64, HB_REFERENCE, codes, absmax, nullptr);
  append(bytes, device.download(codes, size / 2));
  hb_dequantize_4bit(device, codes, absmax, code4, size, 64, out, HB_FLOAT32);
  append(bytes, device.download(out, size));
  hb_gemm_4bit(device, x, HB_FLOAT32, codes, absmax, nullptr, code4, 64, HB_EXACT, bias, HB_FLOAT32, m, n, k, out);
  append(bytes, device.download(out, m * n));
  hb_gemm(device, x, HB_FLOAT32, w, HB_FLOAT32, nullptr, HB_FLOAT32, m, n, k, 0, out);
  append(bytes, device.download(out, m * n));
  hb_gemm(device, x, HB_FLOAT32, w, HB_FLOAT32, nullptr, HB_FLOAT32, m, n, k, 1, out);
  append(bytes, device.download(out, m * k));
  hb_quantize_blockwise(device, w, HB_FLOAT32, size, code, 256, HB_REFERENCE, codes, absmax, nullptr);
  append(bytes, device.download(codes, size));
  hb_dequantize_blockwise(device, codes, absmax, code, size, 256, .25f, out, HB_FLOAT32);
  append(bytes, device.download(out, size));

  int8_t *q = device.alloc<int8_t>(m * k), *qw = device.alloc<int8_t>(size);
  float *rows = device.alloc<float>(m), *columns = device.alloc<float>(n);
  uint8_t *mask = device.alloc<uint8_t>(k), *unused = device.alloc<uint8_t>(k);
  int32_t *sums = device.alloc<int32_t>(m * n);
  hb_int8_vectorwise_quant(device, x, HB_FLOAT32, m, k, .98f, q, rows, mask, nullptr);
  hb_int8_vectorwise_quant(device, w, HB_FLOAT32, n, k, 0, qw, columns, unused, nullptr);
  append(bytes, device.download(q, m * k));
  append(bytes, device.download(mask, k));
  hb_int8_vectorwise_dequant(device, q, rows, m, k, out);
  append(bytes, device.download(out, m * k));
  hb_int8_linear_matmul(device, q, qw, nullptr, m, n, k, sums);
  append(bytes, device.download(sums, m * n));
  hb_int8_mm_dequant(device, sums, rows, columns, bias, HB_FLOAT32, m, n, HB_REFERENCE, out, HB_FLOAT32);
  append(bytes, device.download(out, m * n));
  hb_int8_mixed_scaled_mm(device, x, q, qw, nullptr, rows, columns, mask, bias, HB_FLOAT32, m, n, k, HB_REFERENCE, out, HB_FLOAT32);
  append(bytes, device.download(out, m * n));

  float *state1 = device.alloc<float>(size, true), *state2 = device.alloc<float>(size, true), *norm = device.alloc<float>(1);
  const hb_step step = {1e-3, .9, .999, .99, 5, 1e-8, .01, 1, .05, 1, 0};
  hb_optimizer_update_32bit(device, HB_ADAM, w, out, HB_FLOAT32, HB_FLOAT32, state1, state2, size, &step, HB_REFERENCE, 1, norm);
  append(bytes, device.download(norm, 1));
  append(bytes, device.download(w, size));
  uint8_t *s1 = device.alloc<uint8_t>(size, true), *s2 = device.alloc<uint8_t>(size, true);
  float *a1 = device.alloc<float>(size / 256, true), *a2 = device.alloc<float>(size / 256, true);
  hb_optimizer_update_8bit_blockwise(device, HB_ADAM, w, out, HB_FLOAT32, HB_FLOAT32, s1, s2, code, code, a1, a2, size, 256, &step, HB_REFERENCE);
  append(bytes, device.download(w, size));
  append(bytes, device.download(s2, size));
  for (void *t : std::vector<void *>{x, w, bias, code, code4, codes, absmax, out, q, qw, rows, columns, mask, unused}) device.free(t);
  for (void *t : std::vector<void *>{sums, state1, state2, norm, s1, s2, a1, a2}) device.free(t);
  return bytes;
}

void results_do_not_depend_on_threads() {
  const std::string expected = results_with(1);
  for (const int threads : {2, 3, 7}) CHECK(results_with(threads) == expected);
}

// Two queues, two threads each, all operations at once.
void queues_do_not_disturb_each_other() {
  const std::string expected = results_with(2);
  std::vector<std::string> found(3);
  std::vector<std::thread> users;
  for (std::string &result : found) users.emplace_back([&result] { result = results_with(2); });
  for (std::thread &user : users) user.join();
  for (const std::string &result : found) CHECK(result == expected);
}

// Products are cut into tiles of both sides; a packed weight gives the same.
void int8_products_are_exact_however_cut() {
  const Device device(3);
  const uint64_t n = 301, k = 257;
  for (const uint64_t m : {1, 5, 300, 302, 700}) {
    const std::vector<int8_t> a = random_codes(m * k, 5), b = random_codes(n * k, 6);
    int8_t *da = device.upload(a), *db = device.upload(b);
    int32_t *out = device.alloc<int32_t>(m * n);
    hb_int8_linear_matmul(device, da, db, nullptr, m, n, k, out);
    const std::vector<int32_t> sums = device.download(out, m * n);
    uint8_t *packed = device.alloc<uint8_t>(hb_pack_int8_bytes(n, k));
    if (hb_pack_int8_bytes(n, k) > 0) {
      hb_pack_int8(device, db, n, k, packed);
      hb_int8_linear_matmul(device, da, db, packed, m, n, k, out);
      CHECK(device.download(out, m * n) == sums);
    } else {
      CHECK(hb_pack_int8(device, db, n, k, packed) == HB_UNSUPPORTED);
    }
    for (uint64_t i = 0; i < m; i += 3) {
      for (uint64_t j = 0; j < n; j += 7) {
        int32_t sum = 0;
        for (uint64_t c = 0; c < k; c++) sum += a[i * k + c] * b[j * k + c];
        CHECK(sums[i * n + j] == sum);
      }
    }
    for (void *t : std::vector<void *>{da, db, out, packed}) device.free(t);
  }
}

// 16-bit x: int8 part rounded to its dtype, plus the outlier columns, rounded once.
void mixed_product_adds_outlier_columns() {
  const Device device(2);
  const uint64_t m = 9, n = 33, k = 64;
  std::vector<uint16_t> x(m * k);
  Random random{9};
  for (uint16_t &value : x) value = hb::narrow_to_bfloat16(random.unit());
  for (uint64_t i = 0; i < m; i++) x[i * k + 7] = hb::narrow_to_bfloat16(20 + static_cast<float>(i));
  const std::vector<int8_t> weight = random_codes(n * k, 8);
  const std::vector<float> stats = random_floats(n, 10);
  uint16_t *dx = device.upload(x);
  int8_t *dw = device.upload(weight), *q = device.alloc<int8_t>(m * k);
  float *columns = device.upload(stats), *rows = device.alloc<float>(m);
  uint8_t *mask = device.alloc<uint8_t>(k);
  uint16_t *plain = device.alloc<uint16_t>(m * n), *mixed = device.alloc<uint16_t>(m * n);
  hb_int8_vectorwise_quant(device, dx, HB_BFLOAT16, m, k, 6, q, rows, mask, nullptr);
  hb_int8_mixed_scaled_mm(device, nullptr, q, dw, nullptr, rows, columns, nullptr, nullptr, HB_FLOAT32, m, n, k, HB_REFERENCE, plain, HB_BFLOAT16);
  hb_int8_mixed_scaled_mm(device, dx, q, dw, nullptr, rows, columns, mask, nullptr, HB_FLOAT32, m, n, k, HB_REFERENCE, mixed, HB_BFLOAT16);
  const auto base = device.download(plain, m * n), result = device.download(mixed, m * n);
  const auto marks = device.download(mask, k);
  for (uint64_t c = 0; c < k; c++) CHECK(marks[c] == (c == 7));
  for (uint64_t i = 0; i < m; i++) {
    for (uint64_t j = 0; j < n; j++) {
      const float decoded = static_cast<float>(weight[j * k + 7]) * stats[j] * (1.f / 127);
      const double outlier = static_cast<double>(hb::widen_bfloat16(hb::narrow_to_bfloat16(decoded))) * hb::widen_bfloat16(x[i * k + 7]);
      CHECK(result[i * n + j] == hb::narrow_to_bfloat16(static_cast<float>(hb::widen_bfloat16(base[i * n + j]) + outlier)));
    }
  }
  for (void *t : std::vector<void *>{dx, dw, q, columns, rows, mask, plain, mixed}) device.free(t);
}

// SGD-like steps of known size: the trust ratio, its slack for one-state rules, and the norm that is reported.
void trust_ratio_bounds_the_step() {
  const uint64_t size = 100000;
  const Device device(3);
  const std::vector<float> ones(size, 1.f);
  const auto moved = [&](hb_optimizer optimizer, double max_unorm, int trust, double eps, float *norm_out) {
    float *p = device.upload(ones), *g = device.upload(ones), *s = device.alloc<float>(size, true), *norm = device.alloc<float>(1);
    const hb_step step = {.5, .9, .99, 0, 0, eps, 0, 1, max_unorm, 1, 0};
    hb_optimizer_update_32bit(device, optimizer, p, g, HB_FLOAT32, HB_FLOAT32, s, nullptr, size, &step, HB_REFERENCE, trust, norm);
    const std::vector<float> result = device.download(p, size);
    *norm_out = device.download(norm, 1)[0];
    for (void *t : std::vector<void *>{p, g, s, norm}) device.free(t);
    for (const float value : result) CHECK(value == result[0]);
    return result[0];
  };
  float norm;
  const float length = static_cast<float>(std::sqrt(static_cast<double>(size)));
  CHECK(moved(HB_MOMENTUM, 0, 1, 0, &norm) == .5f && norm == 0);
  CHECK(moved(HB_MOMENTUM, .25, 1, 0, &norm) == 1 - .125f && norm == length);
  CHECK(moved(HB_MOMENTUM, .25, 0, 0, &norm) == .5f && norm == length);
  CHECK(moved(HB_MOMENTUM, 2, 1, 0, &norm) == .5f && norm == length);
  // A slack of half the parameter's norm.
  CHECK(std::fabs(moved(HB_MOMENTUM, .25, 1, std::sqrt(static_cast<double>(size)) / 2, &norm) - (1 - .375f)) < 1e-6f);
}

double caller_milliseconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

// An operation without a vector kernel is slow even when the chosen instruction set is fast: it must not hold the caller.
void slow_kernels_leave_the_caller() {
  if (hb::kernels().optimizer_8bit != hb::scalar_kernels.optimizer_8bit) return;
  const Device device(2, true);
  const uint64_t size = 100000;
  float *p = device.upload(random_floats(size)), *g = device.upload(random_floats(size, 2)), *code = device.upload(map8());
  uint8_t *state = device.alloc<uint8_t>(size, true);
  float *absmax = device.alloc<float>(size / 256 + 1, true);
  CHECK(device.finish() == HB_OK);
  const hb_step step = {1e-3, .9, .999, 0, 0, 1e-8, 0, 1, 0, 1, 0};
  const double before = caller_milliseconds();
  hb_optimizer_update_8bit_blockwise(device, HB_MOMENTUM, p, g, HB_FLOAT32, HB_FLOAT32, state, nullptr, code, nullptr, absmax, nullptr, size, 256,
                                     &step, HB_REFERENCE);
  CHECK(caller_milliseconds() - before < 1);
  for (void *t : std::vector<void *>{p, g, code, state, absmax}) device.free(t);
}

void empty_operations_do_nothing() {
  const Device device(2);
  int64_t *fault = device.alloc<int64_t>(1, true);
  hb_quantize_4bit(device, nullptr, HB_FLOAT32, 0, kCode4, HB_TABLE, 64, HB_REFERENCE, nullptr, nullptr, fault);
  CHECK(device.download(fault, 1)[0] == -1);
  hb_quantization_error(device, nullptr, HB_FLOAT32, 0, nullptr, nullptr, nullptr, 0, 0, nullptr);
  CHECK(device.finish() == HB_OK);
  device.free(fault);
}

void build_info_names_every_operation() {
  const std::string info = hb_build_info();
  CHECK(hb_abi_version() == HB_ABI_VERSION);
  for (const char *word : {"\"abi\": 3", "\"backend\": \"cpu\"", "\"isas\": [\"scalar\"", "\"gemm_4bit\": ", "\"optimizer_update_8bit_blockwise\": "})
    CHECK(info.find(word) != std::string::npos);
  std::printf("  %s\n", info.c_str());
}

}  // namespace

int main() {
#define RUN(test)                 \
  do {                            \
    const int before = failures;  \
    test();                       \
    std::printf("%s %s\n", failures == before ? "ok  " : "FAIL", #test); \
    std::fflush(stdout);          \
  } while (0)
  RUN(build_info_names_every_operation);
  RUN(pool_covers_every_row_once);
  RUN(pool_does_not_cut_small_loops);
  RUN(pool_is_joined_with_the_last_share);
  RUN(pool_serves_many_callers);
  RUN(pool_passes_errors_on);
#if defined(__linux__)
  RUN(pool_pins_workers_when_asked);
#endif
  RUN(threads_come_from_option_then_environment);
  RUN(queue_runs_entries_in_order);
  RUN(queue_counts_entries);
  RUN(queue_keeps_small_entries_on_the_caller);
  RUN(queue_takes_entries_from_many_threads);
  RUN(queue_reports_failures_to_waiters);
  RUN(destroy_finishes_the_work);
  RUN(destroy_lets_waiters_go);
  RUN(memory_is_aligned_padded_and_zeroed);
  RUN(memory_is_reused_and_trimmed);
  RUN(free_waits_for_its_turn);
  RUN(size_classes_waste_little);
  RUN(alloc_failure_is_null);
  RUN(writes_take_their_bytes_at_once);
  RUN(faults_are_merged_to_the_lowest);
  RUN(arguments_are_read_when_they_should_be);
  RUN(results_do_not_depend_on_threads);
  RUN(queues_do_not_disturb_each_other);
  RUN(int8_products_are_exact_however_cut);
  RUN(mixed_product_adds_outlier_columns);
  RUN(trust_ratio_bounds_the_step);
  RUN(slow_kernels_leave_the_caller);
  RUN(empty_operations_do_nothing);
  std::printf("%s: %d checks failed\n", failures ? "FAILED" : "passed", failures);
  return failures ? 1 : 0;
}
