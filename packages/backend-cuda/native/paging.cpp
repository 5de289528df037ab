#include "paging.h"

#include <algorithm>

#include "errors.h"

namespace hb {

namespace {

// Of one row in one place. Large enough that a transfer runs at full speed, small enough that the first and the last, which nothing hides, are short. The
// emulated device takes small ones: its tests are to see many pieces.
#if defined(HB_EMULATED)
constexpr uint64_t kPieceBytes = 4 << 10;
#else
constexpr uint64_t kPieceBytes = 16 << 20;
#endif

// Vectors of every width begin at it.
constexpr uint64_t kRowAlignment = 256;

uint64_t row_bytes(const StateRow &row, uint64_t piece) { return (piece * row.width + kRowAlignment - 1) / kRowAlignment * kRowAlignment; }

uint64_t place_bytes(const StateRows &rows, uint64_t piece) {
  uint64_t bytes = 0;
  for (int i = 0; i < rows.count; i++)
    if (rows.rows[i].is_paged) bytes += row_bytes(rows.rows[i], piece);
  return bytes;
}

void make_event(cudaEvent_t &event) { expect(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags"); }
void record(cudaEvent_t event, cudaStream_t stream) { expect(cudaEventRecord(event, stream), "cudaEventRecord"); }
void wait_for(cudaStream_t stream, cudaEvent_t event) { expect(cudaStreamWaitEvent(stream, event, 0), "cudaStreamWaitEvent"); }

void copy(void *target, const void *source, uint64_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  expect(cudaMemcpyAsync(target, source, bytes, kind, stream), "cudaMemcpyAsync");
}

}  // namespace

Paging::Paging(cudaStream_t stream) : stream_(stream) {
  expect(cudaStreamCreateWithFlags(&in_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  expect(cudaStreamCreateWithFlags(&out_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  make_event(begun_);
  for (int i = 0; i < kPlaces; i++) {
    make_event(brought_[i]);
    make_event(computed_[i]);
    make_event(kept_[i]);
  }
}

Paging::~Paging() {
  settle();
  for (const cudaEvent_t event : {begun_, brought_[0], brought_[1], computed_[0], computed_[1], kept_[0], kept_[1]}) cudaEventDestroy(event);
  cudaStreamDestroy(in_);
  cudaStreamDestroy(out_);
}

void Paging::settle() {
  cudaStreamSynchronize(in_);
  cudaStreamSynchronize(stream_);
  cudaStreamSynchronize(out_);
}

uint64_t Paging::piece_elements(const StateRows &rows, uint64_t unit) {
  uint64_t widest = 1;
  for (int i = 0; i < rows.count; i++) widest = std::max<uint64_t>(widest, rows.rows[i].width);
  const uint64_t units = std::max<uint64_t>(1, kPieceBytes / widest / unit);
  return std::min(units * unit, rows.elements);
}

uint64_t Paging::buffer_bytes(const StateRows &rows, uint64_t piece) { return kPlaces * place_bytes(rows, piece); }

// What came before in the queue may write to the rows, and the places are allocated in its order.
void Paging::begin() {
  record(begun_, stream_);
  wait_for(in_, begun_);
}

StatePiece Paging::bring(const StateRows &rows, uint64_t at, uint64_t piece, uint64_t number, char *buffer, bool keeps) {
  StatePiece part = {at, std::min(piece, rows.elements - at), {}};
  const int place = static_cast<int>(number % kPlaces);
  if (number >= kPlaces) wait_for(in_, keeps ? kept_[place] : computed_[place]);
  char *next = buffer + static_cast<uint64_t>(place) * place_bytes(rows, piece);
  for (int i = 0; i < rows.count; i++) {
    const StateRow &row = rows.rows[i];
    char *const host = row.memory + at * row.width;
    part.rows[i] = row.is_paged ? next : host;
    if (!row.is_paged) continue;
    copy(next, host, part.count * row.width, cudaMemcpyHostToDevice, in_);
    next += row_bytes(row, piece);
  }
  record(brought_[place], in_);
  wait_for(stream_, brought_[place]);
  return part;
}

void Paging::take_back(const StateRows &rows, const StatePiece &part, uint64_t number, bool keeps) {
  const int place = static_cast<int>(number % kPlaces);
  record(computed_[place], stream_);
  if (!keeps) return;
  wait_for(out_, computed_[place]);
  for (int i = 0; i < rows.count; i++) {
    const StateRow &row = rows.rows[i];
    if (row.is_paged) copy(row.memory + part.begin * row.width, part.rows[i], part.count * row.width, cudaMemcpyDeviceToHost, out_);
  }
  record(kept_[place], out_);
}

void Paging::end(uint64_t pieces, bool keeps) {
  if (keeps && pieces > 0) wait_for(stream_, kept_[(pieces - 1) % kPlaces]);
}

}  // namespace hb
