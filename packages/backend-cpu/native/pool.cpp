// The pool's workers and the loops they serve.
#include "pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "cost.h"
#include "spin.h"

namespace hb {
namespace {

constexpr int kMostThreads = 256;
// More ranges than threads: a thread that the system has taken away for a while holds back only one small range.
constexpr uint64_t kRangesPerThread = 4;
// Workers stay on one core each when HALFBYTE_PIN_THREADS is 1: the n-th on the n-th core that the process may use, counted from the second,
// since the first is left to whoever starts loops. Linux only; a system that refuses is not argued with.
void pin_to_core(int worker) {
#if defined(__linux__)
  const char *const wanted = std::getenv("HALFBYTE_PIN_THREADS");
  cpu_set_t allowed;
  if (!wanted || std::string_view(wanted) != "1" || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int skip = (worker + 1) % CPU_COUNT(&allowed);
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, &allowed) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
#else
  static_cast<void>(worker);
#endif
}

// The core that the calling thread runs on; -1 where the system does not tell.
int core_here() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// A worker woken on its caller's core only takes turns with it, and the system needs milliseconds to part the two: it leaves by itself.
class Cores {
 public:
#if defined(__linux__)
  Cores() { known_ = sched_getaffinity(0, sizeof allowed_, &allowed_) == 0; }

  void keep_away_from(int core) const {
    if (!known_ || core < 0 || core != sched_getcpu()) return;
    cpu_set_t others = allowed_;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof others, &others);
  }

 private:
  cpu_set_t allowed_;
  bool known_;
#else
  void keep_away_from(int) const {}
#endif
};

// One running loop; it lives on its caller's stack.
class Loop {
 public:
  Loop(uint64_t rows, uint64_t range, int threads, const LoopBody &body) : rows_(rows), range_(range), threads_(threads), body_(body) {}

  // Claims ranges until none is left.
  void work(int slot) {
    for (;;) {
      const uint64_t begin = next_.fetch_add(range_, std::memory_order_relaxed);
      if (begin >= rows_) return;
      try {
        body_(begin, std::min(begin + range_, rows_), slot);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  // Guarded by the pool's mutex.
  bool has_room() const { return slots_ < threads_ && next_.load(std::memory_order_relaxed) < rows_; }
  int take_slot() {
    active_.fetch_add(1, std::memory_order_relaxed);
    return slots_++;
  }
  // The loop may be gone when this returns.
  void give_slot_back() { active_.fetch_sub(1, std::memory_order_release); }

  bool is_quiet() const { return active_.load(std::memory_order_acquire) == 0; }
  int threads_wanted() const { return static_cast<int>(std::min<uint64_t>(threads_, (rows_ + range_ - 1) / range_)) - 1; }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const uint64_t rows_, range_;
  const int threads_;
  const LoopBody &body_;
  std::atomic<uint64_t> next_{0};
  int slots_ = 1;  // 0 is the caller's
  std::atomic<int> active_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

class Pool {
 public:
  // Never destroyed: a process may end while a queue is open, and its workers must then not outlive what they wait on.
  static Pool &instance() {
    static Pool &pool = *new Pool;
    return pool;
  }

  void open(int threads) {
    const std::lock_guard<std::mutex> lifetime(lifetime_mutex_);
    try {
      while (static_cast<int>(workers_.size()) < threads - 1) start_worker(static_cast<int>(workers_.size()));
    } catch (...) {
      if (shares_ == 0) join();
      throw;
    }
    shares_++;
  }

  void close() {
    const std::lock_guard<std::mutex> lifetime(lifetime_mutex_);
    if (--shares_ == 0) join();
  }

  int workers() {
    const std::lock_guard<std::mutex> lifetime(lifetime_mutex_);
    return static_cast<int>(workers_.size());
  }

  void run(Loop &loop) {
    publish(loop);
    loop.work(0);
    withdraw(loop);
    if (spin_until([&] { return loop.is_quiet(); })) return;
    std::unique_lock<std::mutex> lock(mutex_);
    quiet_.wait(lock, [&] { return loop.is_quiet(); });
  }

 private:
  void publish(Loop &loop) {
    int wake;
    caller_core_.store(core_here(), std::memory_order_relaxed);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      loops_.push_back(&loop);
      news_.fetch_add(1, std::memory_order_release);
      wake = std::min(loop.threads_wanted(), parked_);
    }
    for (int i = 0; i < wake; i++) wake_.notify_one();
  }

  // After this no worker joins the loop.
  void withdraw(Loop &loop) {
    const std::lock_guard<std::mutex> lock(mutex_);
    loops_.erase(std::find(loops_.begin(), loops_.end(), &loop));
  }

  void start_worker(int worker) {
    workers_.emplace_back([this, worker] {
      pin_to_core(worker);
      serve();
    });
  }

  // A worker's life.
  void serve() {
    const Cores cores;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (Loop *loop = open_loop()) {
        help(*loop, lock);
        continue;
      }
      if (stopping_) return;
      rest(lock, cores);
    }
  }

  Loop *open_loop() const {
    const auto found = std::find_if(loops_.begin(), loops_.end(), [](const Loop *loop) { return loop->has_room(); });
    return found == loops_.end() ? nullptr : *found;
  }

  void help(Loop &loop, std::unique_lock<std::mutex> &lock) {
    const int slot = loop.take_slot();
    lock.unlock();
    loop.work(slot);
    lock.lock();
    loop.give_slot_back();
    quiet_.notify_all();
  }

  // Spins a little, then parks, until there is news.
  void rest(std::unique_lock<std::mutex> &lock, const Cores &cores) {
    const uint64_t seen = news_.load(std::memory_order_relaxed);
    const auto has_news = [&] { return news_.load(std::memory_order_acquire) != seen; };
    lock.unlock();
    cores.keep_away_from(caller_core_.load(std::memory_order_relaxed));
    const bool found = spin_until(has_news);
    lock.lock();
    if (found) return;
    parked_++;
    wake_.wait(lock, has_news);
    parked_--;
  }

  void join() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      news_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread &worker : workers_) worker.join();
    workers_.clear();
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = false;
  }

  std::mutex lifetime_mutex_;  // guards the two below; held while workers start and end
  int shares_ = 0;
  std::vector<std::thread> workers_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_, quiet_;
  std::vector<Loop *> loops_;
  int parked_ = 0;
  bool stopping_ = false;
  std::atomic<int> caller_core_{-1};
  std::atomic<uint64_t> news_{0};  // written under the mutex, read by spinning workers without it
};

// Rows per range.
uint64_t range_of(const Rows &rows, int threads) {
  const double worthwhile = static_cast<double>(rows.count) * rows.cost / smallest_range();
  const uint64_t ranges = static_cast<uint64_t>(std::min<double>(worthwhile, static_cast<double>(threads * kRangesPerThread)));
  if (threads == 1 || ranges <= 1) return rows.count;
  const uint64_t range = (rows.count + ranges - 1) / ranges;
  return (range + rows.align - 1) / rows.align * rows.align;
}

int positive_number(const char *text) {
  char *end = nullptr;
  const long value = text ? std::strtol(text, &end, 10) : 0;
  return text && *end == '\0' && value > 0 ? static_cast<int>(std::min<long>(value, kMostThreads)) : 0;
}

}  // namespace

int thread_count(int option) {
  if (option > 0) return std::min(option, kMostThreads);
  if (const int wanted = positive_number(std::getenv("HALFBYTE_THREADS"))) return wanted;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
}

Parallel::Parallel(int threads) : threads_(threads) { Pool::instance().open(threads); }

Parallel::~Parallel() { Pool::instance().close(); }

void Parallel::loop(const Rows &rows, const LoopBody &body) const {
  if (rows.count == 0) return;
  const uint64_t range = range_of(rows, threads_);
  if (range >= rows.count) return body(0, rows.count, 0);
  Loop loop(rows.count, range, threads_, body);
  Pool::instance().run(loop);
  loop.rethrow();
}

int worker_count() { return Pool::instance().workers(); }

}  // namespace hb
