// Rounds of calls, timed by events; on the emulated device, which has no clock, by the host's.
#include "clock.h"

#include <algorithm>
#include <chrono>

namespace hb::bench {

namespace {

constexpr double kRoundSeconds = 2e-3, kTotalSeconds = 0.6;
constexpr int kMostCalls = 512, kMostRounds = 25, kFewestRounds = 5;

Timing summary(std::vector<double> seconds, int calls, const char *method) {
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2] / calls, seconds.front() / calls, calls, static_cast<int>(seconds.size()), method};
}

}  // namespace

// What is timed: `calls` calls, one by one or as one graph.
struct Clock::Round {
  const Enqueue &enqueue;
  int copies, calls;
#if !defined(HB_EMULATED)
  cudaGraphExec_t graph = nullptr;
#endif

  void run(cudaStream_t stream) const {
#if !defined(HB_EMULATED)
    if (graph) return expect(cudaGraphLaunch(graph, stream), "cudaGraphLaunch");
#endif
    (void)stream;
    for (int i = 0; i < calls; i++) enqueue(i % copies);
  }
};

Clock::Clock(hb_queue *queue) : queue_(queue) {
  queue_->push([this](cudaStream_t stream) { stream_ = stream; });
  queue_->count_entries(false);
}

Clock::~Clock() {
  cudaStreamSynchronize(stream_);
  queue_->count_entries(true);
}

#if defined(HB_EMULATED)

std::vector<double> Clock::times(const Round &round, int rounds) {
  std::vector<double> seconds;
  for (int i = 0; i < rounds; i++) {
    const auto begin = std::chrono::steady_clock::now();
    round.run(stream_);
    expect(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return seconds;
}

Timing Clock::measure(int copies, const Enqueue &enqueue) { return summary(times({enqueue, copies, copies}, 1), copies, "host"); }

#else

namespace {

// A graph that keeps memory which it allocates can be started once only.
bool starts_twice(cudaGraphExec_t graph, cudaStream_t stream) {
  return cudaGraphLaunch(graph, stream) == cudaSuccess && cudaGraphLaunch(graph, stream) == cudaSuccess && cudaStreamSynchronize(stream) == cudaSuccess;
}

// A graph of the calls, or null: what synchronizes while it is enqueued cannot be captured.
cudaGraphExec_t captured(cudaStream_t stream, const std::function<void()> &enqueue) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) != cudaSuccess) return nullptr;
  try {
    enqueue();
  } catch (...) {
    // Ends below; the same calls worked outside of a capture.
  }
  if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph) {
    if (cudaGraphInstantiateWithFlags(&executable, graph, 0) != cudaSuccess) executable = nullptr;
    cudaGraphDestroy(graph);
  }
  if (executable && !starts_twice(executable, stream)) {
    cudaGraphExecDestroy(executable);
    executable = nullptr;
  }
  cudaGetLastError();
  return executable;
}

}  // namespace

// Events lie between rounds that follow each other without a pause: the host is far ahead. The first round warms up.
std::vector<double> Clock::times(const Round &round, int rounds) {
  std::vector<cudaEvent_t> events(static_cast<size_t>(rounds) + 1);
  for (cudaEvent_t &event : events) expect(cudaEventCreate(&event), "cudaEventCreate");
  round.run(stream_);
  for (size_t i = 0; i < events.size(); i++) {
    if (i > 0) round.run(stream_);
    expect(cudaEventRecord(events[i], stream_), "cudaEventRecord");
  }
  expect(cudaEventSynchronize(events.back()), "cudaEventSynchronize");
  std::vector<double> seconds;
  for (size_t i = 1; i < events.size(); i++) {
    float milliseconds = 0;
    expect(cudaEventElapsedTime(&milliseconds, events[i - 1], events[i]), "cudaEventElapsedTime");
    seconds.push_back(milliseconds / 1e3);
  }
  for (const cudaEvent_t event : events) cudaEventDestroy(event);
  return seconds;
}

Timing Clock::measure(int copies, const Enqueue &enqueue) {
  Round round = {enqueue, copies, copies};
  const double call = times(round, 1).front() / copies;
  round.calls = std::clamp(static_cast<int>(kRoundSeconds / call), copies, std::max(copies, kMostCalls));
  round.graph = captured(stream_, [&] { Round(round).run(stream_); });
  const int rounds = std::clamp(static_cast<int>(kTotalSeconds / (call * round.calls)), kFewestRounds, kMostRounds);
  const Timing timing = summary(times(round, rounds), round.calls, round.graph ? "graph" : "stream");
  if (round.graph) cudaGraphExecDestroy(round.graph);
  return timing;
}

#endif

}  // namespace hb::bench
