// Host functions around transfers. When the device is lost CUDA calls no host function any more: what such a function owns is lost with it.
#include "staging.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "errors.h"
#include "standard.h"

namespace hb {

namespace {

constexpr uint64_t kPieceBytes = 4 << 20;
// Up to here CUDA takes pageable bytes without waiting for the stream (CUDA C++ Programming Guide, asynchronous concurrent execution).
constexpr uint64_t kTakenAtOnce = 64 << 10;

using Bytes = std::shared_ptr<Vector<char>>;

// A memcpy in stream order, or of no source zeros. `owner` keeps the source alive, if anyone must.
struct HostCopy {
  void *target;
  const void *source;
  uint64_t bytes;
  Bytes owner;
};

void CUDART_CB copy_and_delete(void *argument) {
  const std::unique_ptr<HostCopy> copy(static_cast<HostCopy *>(argument));
  if (copy->source) std::memcpy(copy->target, copy->source, copy->bytes);
  else std::memset(copy->target, 0, copy->bytes);
}

void copy_on_host(cudaStream_t stream, HostCopy copy) {
  auto argument = std::make_unique<HostCopy>(std::move(copy));
  expect(cudaLaunchHostFunc(stream, copy_and_delete, argument.get()), "cudaLaunchHostFunc");
  argument.release();
}

// Calls move(at, count) for consecutive pieces.
template <class Move>
void for_each_piece(uint64_t bytes, const Move &move) {
  for (uint64_t at = 0; at < bytes; at += kPieceBytes) move(at, std::min(kPieceBytes, bytes - at));
}

void write_in_pieces(cudaStream_t stream, void *piece, void *target, const char *host, uint64_t bytes, const Bytes &owner) {
  for_each_piece(bytes, [&](uint64_t at, uint64_t count) {
    copy_on_host(stream, {piece, host + at, count, owner});
    expect(cudaMemcpyAsync(static_cast<char *>(target) + at, piece, count, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  });
}

Bytes taken_from(const void *host, uint64_t bytes) {
  const char *first = static_cast<const char *>(host);
  return std::make_shared<Vector<char>>(first, first + bytes);
}

}  // namespace

Staging::Staging(cudaStream_t stream) : stream_(stream) { expect(cudaHostAlloc(&piece_, kPieceBytes, cudaHostAllocPortable), "cudaHostAlloc"); }

Staging::~Staging() { cudaFreeHost(piece_); }

void Staging::write(void *target, const void *host, uint64_t bytes) {
  // An empty array of JavaScript has no address.
  if (bytes == 0) return;
  if (bytes <= kTakenAtOnce) return expect(cudaMemcpyAsync(target, host, bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
  const Bytes taken = taken_from(host, bytes);
  write_in_pieces(stream_, piece_, target, taken->data(), bytes, taken);
}

void Staging::write_later(void *target, const void *host, uint64_t bytes) {
  write_in_pieces(stream_, piece_, target, static_cast<const char *>(host), bytes, nullptr);
}

void Staging::read(const void *source, void *host, uint64_t bytes) {
  for_each_piece(bytes, [&](uint64_t at, uint64_t count) {
    expect(cudaMemcpyAsync(piece_, static_cast<const char *>(source) + at, count, cudaMemcpyDeviceToHost, stream_), "cudaMemcpyAsync");
    copy_on_host(stream_, {static_cast<char *>(host) + at, piece_, count, nullptr});
  });
}

void Staging::write_on_host(void *target, const void *host, uint64_t bytes, bool adopt) {
  if (bytes == 0) return;
  const Bytes taken = adopt ? nullptr : taken_from(host, bytes);
  copy_on_host(stream_, {target, adopt ? host : taken->data(), bytes, taken});
}

void Staging::read_on_host(const void *source, void *host, uint64_t bytes) {
  if (bytes > 0) copy_on_host(stream_, {host, source, bytes, nullptr});
}

void Staging::zero_on_host(void *target, uint64_t bytes) {
  if (bytes > 0) copy_on_host(stream_, {target, nullptr, bytes, nullptr});
}

}  // namespace hb
