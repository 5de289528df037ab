// A kernel over rows that lie in paged memory: while it works on one piece of them, the next one is on its way to the device and the one before on its way
// back. Two places on the device, a stream for each direction, events between them and the queue's stream. Who comes later in the queue sees the rows
// whole.
#pragma once
#include "device.h"
#include "paged_memory.h"

namespace hb {

// The same elements' part of a tensor; the rows of a stacked state are two.
struct StateRow {
  char *memory;
  uint32_t width;  // bytes of an element
  bool is_paged;
};

constexpr int kMostStateRows = 3;

struct StateRows {
  StateRow rows[kMostStateRows];
  int count;
  uint64_t elements;
};

// Elements [begin, begin + count), and where their rows are for the device.
struct StatePiece {
  uint64_t begin, count;
  char *rows[kMostStateRows];
};

class Paging {
 public:
  // Throws CudaError. `stream` is that of the queue.
  explicit Paging(cudaStream_t stream);
  ~Paging();
  Paging(const Paging &) = delete;
  Paging &operator=(const Paging &) = delete;

  // Elements of a piece: whole units, as many as fit.
  static uint64_t piece_elements(const StateRows &rows, uint64_t unit);
  // Memory of the device that run() needs for pieces of this size.
  static uint64_t buffer_bytes(const StateRows &rows, uint64_t piece);

  // Calls compute(piece), which enqueues on the queue's stream, for one piece after the other. The rows are written back if `keeps`.
  template <class Compute>
  void run(const StateRows &rows, uint64_t piece, char *buffer, bool keeps, const Compute &compute) {
    begin();
    uint64_t number = 0;
    for (uint64_t at = 0; at < rows.elements; at += piece, number++) {
      const StatePiece part = bring(rows, at, piece, number, buffer, keeps);
      compute(part);
      take_back(rows, part, number, keeps);
    }
    end(number, keeps);
  }

  // Nothing is under way any more, whatever became of it.
  void settle();

 private:
  void begin();
  StatePiece bring(const StateRows &rows, uint64_t at, uint64_t piece, uint64_t number, char *buffer, bool keeps);
  void take_back(const StateRows &rows, const StatePiece &part, uint64_t number, bool keeps);
  void end(uint64_t pieces, bool keeps);

  static constexpr int kPlaces = 2;

  const cudaStream_t stream_;
  cudaStream_t in_ = nullptr, out_ = nullptr;
  cudaEvent_t begun_ = nullptr, brought_[kPlaces] = {}, computed_[kPlaces] = {}, kept_[kPlaces] = {};
};

}  // namespace hb
