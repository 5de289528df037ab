// Random programs over halfbyte.h and nothing else: several threads push operations of random kinds, shapes, dtypes and options to queues they
// share, and leave memory and results to the queue's order. Each operation runs a second time on a queue of one thread; both results must be
// equal to the bit. Elements of matrix products are also held to float64. At the end no memory is in use.
//
//   abi_fuzz [first seed] [seeds] [operations per thread]
//
// The last lines hold digests of everything that is exact, by operation: they are the same for every instruction set. Exits 1 on the first wrong
// result.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "random_operations.h"

namespace {

using namespace fuzz;

std::atomic<int> failures{0};

void fail(const char *what, const char *why, uint64_t seed) {
  if (failures++ < 10) std::printf("  FAILED %s (seed %llu): %s\n", what, static_cast<unsigned long long>(seed), why);
}

// An operation on its way through a queue. Its results are here once the queue has passed `entry`.
class Run {
 public:
  // `random` is its own: how many tensors there are depends on the instruction set.
  Run(hb_queue *queue, std::shared_ptr<const Operation> op, Random random) : queue_(queue), op_(std::move(op)), kept_(random.one_in(2)) {
    for (const Tensor &tensor : op_->tensors) tensors_.add(upload(tensor, random));
    status_ = op_->launch(queue_, tensors_);
    for (size_t i = 0; i < op_->tensors.size(); i++) results_.push_back(download(op_->tensors[i], tensors_.all()[i], random));
    if (!kept_) release();
    entry_ = hb_queue_last(queue_);
  }

  // Waits; what is wrong, or null.
  const char *finish() {
    if (status_ != HB_OK) return "it was refused";
    if (hb_queue_wait(queue_, entry_) != HB_OK) return "it failed";
    if (hb_queue_done(queue_, entry_) != 1) return "it is not done after waiting for it";
    const bool padded = !kept_ || is_padded();
    if (kept_) release();
    return padded ? nullptr : "it wrote behind a tensor";
  }
  const Results &results() const { return results_; }

 private:
  // In one piece or two, copied at once or when the queue gets there.
  void *upload(const Tensor &tensor, Random &random) {
    const uint64_t size = tensor.bytes.size(), cut = random.one_in(4) ? random.below(size + 1) : size;
    const int32_t adopt = random.one_in(3);
    char *const address = static_cast<char *>(hb_alloc(queue_, size, tensor.read && random.one_in(2)));
    if (!tensor.uploaded) return address;
    hb_write(queue_, address, 0, tensor.bytes.data(), cut, adopt);
    if (cut < size) hb_write(queue_, address, cut, tensor.bytes.data() + cut, size - cut, adopt);
    return address;
  }
  Bytes download(const Tensor &tensor, const void *address, Random &random) {
    const uint64_t size = tensor.bytes.size(), cut = random.one_in(4) ? random.below(size + 1) : size;
    if (!tensor.read) return {};
    Bytes bytes(size);
    hb_read(queue_, address, 0, bytes.data(), cut);
    if (cut < size) hb_read(queue_, address, cut, bytes.data() + cut, size - cut);
    return bytes;  // moved: the bytes stay where they are
  }
  // Memory is the host's here, and padded with zeros to a multiple of 64 bytes.
  bool is_padded() const {
    for (size_t i = 0; i < op_->tensors.size(); i++) {
      const uint64_t size = op_->tensors[i].bytes.size();
      const auto *const address = static_cast<const uint8_t *>(tensors_.all()[i]);
      if (std::any_of(address + size, address + ceil_div(size, 64) * 64, [](uint8_t byte) { return byte != 0; })) return false;
    }
    return true;
  }
  void release() const {
    for (void *const address : tensors_.all()) hb_free(queue_, address);
  }

  hb_queue *const queue_;
  const std::shared_ptr<const Operation> op_;
  const bool kept_;
  Addresses tensors_;
  hb_status status_ = HB_FAILED;
  Results results_;
  uint64_t entry_ = 0;
};

// The same operation twice.
struct Pair {
  std::shared_ptr<const Operation> op;
  std::unique_ptr<Run> shared, alone;
};

// FNV-1a over the results of each kind of operation.
using Digests = std::map<std::string, uint64_t>;

void add(uint64_t &digest, const Bytes &bytes) {
  for (const uint8_t byte : bytes) digest = (digest ^ byte) * 0x100000001b3;
}

hb_queue *create_queue(int threads) {
  hb_queue *queue = nullptr;
  if (hb_queue_create(0, threads, &queue) != HB_OK) std::abort();
  return queue;
}

// What one thread does. Its digests depend on its seed alone.
class Session {
 public:
  Session(uint64_t seed, const std::vector<hb_queue *> &queues) : seed_(seed), random_(seed), queues_(queues), own_(create_queue(1)) {}
  ~Session() { hb_queue_destroy(own_); }

  void run(int operations) {
    for (int i = 0; i < operations && failures == 0; i++) {
      start();
      if (random_.one_in(16)) change_own_queue();
      for (uint64_t keep = random_.below(8); pending_.size() > keep;) settle();
    }
    while (!pending_.empty()) settle();
  }
  const Digests &digests() const { return digests_; }

 private:
  void start() {
    const auto op = std::make_shared<const Operation>(random_operation(random_));
    hb_queue *const shared = queues_[random_.below(queues_.size())];
    hb_queue_allow_inline(shared, random_.one_in(2));
    hb_queue_allow_inline(own_, random_.one_in(2));
    auto first = std::make_unique<Run>(shared, op, Random(random_.next())), second = std::make_unique<Run>(own_, op, Random(random_.next()));
    pending_.push_back({op, std::move(first), std::move(second)});
  }

  void settle() {
    Pair pair = std::move(pending_.front());
    pending_.pop_front();
    for (Run *const run : {pair.shared.get(), pair.alone.get()}) {
      if (const char *why = run->finish()) fail(pair.op->name, why, seed_);
    }
    const Results &results = pair.alone->results();
    if (pair.shared->results() != results) fail(pair.op->name, "its results depend on the queue", seed_);
    if (const char *why = pair.op->judge ? pair.op->judge(results) : nullptr) fail(pair.op->name, why, seed_);
    if (!pair.op->exact) return;
    for (const Bytes &bytes : results) add(digests_[pair.op->name], bytes);
  }

  // Queues come and go while others work.
  void change_own_queue() {
    while (!pending_.empty()) settle();
    hb_queue_destroy(own_);
    own_ = create_queue(1);
  }

  const uint64_t seed_;
  Random random_;
  const std::vector<hb_queue *> &queues_;
  hb_queue *own_;
  std::deque<Pair> pending_;
  Digests digests_;
};

constexpr uint64_t kThreads = 3;

void run_program(uint64_t seed, int operations, Digests &all) {
  const std::vector<hb_queue *> queues = {create_queue(2), create_queue(3), create_queue(0)};
  std::vector<Digests> digests(kThreads);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      Session session(kThreads * seed + t, queues);
      session.run(operations);
      digests[t] = session.digests();
    });
  }
  for (std::thread &thread : threads) thread.join();
  for (hb_queue *const queue : queues) hb_queue_wait(queue, hb_queue_last(queue));
  uint64_t used = 1, pooled = 0;
  hb_memory(queues[0], &used, &pooled);
  if (used != 0) fail("hb_memory", "memory is in use after everything was freed", seed);
  for (hb_queue *const queue : queues) hb_queue_destroy(queue);
  for (const Digests &one : digests) {
    for (const auto &[name, digest] : one) all[name] = all[name] * 31 + digest;
  }
}

}  // namespace

int main(int argc, char **argv) {
  const auto argument = [&](int index, uint64_t otherwise) { return argc > index ? std::strtoull(argv[index], nullptr, 10) : otherwise; };
  const uint64_t first = argument(1, 1), seeds = argument(2, 4), operations = argument(3, 300);
  Digests digests;
  for (uint64_t seed = first; seed < first + seeds && failures == 0; seed++) run_program(seed, static_cast<int>(operations), digests);
  std::printf("%s: %s\n", failures ? "failed" : "passed", hb_build_info());
  for (const auto &[name, digest] : digests) std::printf("digest %016llx %s\n", static_cast<unsigned long long>(digest), name.c_str());
  return failures ? 1 : 0;
}
