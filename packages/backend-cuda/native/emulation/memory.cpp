// Memory of the emulated devices: blocks of the heap, counted against what each device has.
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>

#include "stream.h"

// What was freed stays reserved until the pool is trimmed, and is handed out again for the same size.
struct EmulatedPool {
  explicit EmulatedPool(int device) : device(device) {}

  const int device;
  uint64_t reserved = 0;
  std::map<uint64_t, uint64_t> kept;  // how many of a size
};

namespace hb::emulation {

namespace {

// Memory that nobody wrote is no zero.
constexpr int kUnwritten = 0xa5;

struct Allocation {
  size_t bytes;
  uint64_t counted;
  int device;
  EmulatedPool *pool;
};

std::mutex mutex;  // guards what is below, and pools
std::map<const char *, Allocation> allocations;
std::map<const char *, size_t> pinned;

// The entry of a map by first bytes whose range a byte lies in.
template <class Ranges, class Length>
auto containing(Ranges &ranges, const void *pointer, const Length &length) {
  const char *byte = static_cast<const char *>(pointer);
  const auto next = ranges.upper_bound(byte);
  if (next == ranges.begin()) return ranges.end();
  const auto range = std::prev(next);
  return byte < range->first + length(range->second) ? range : ranges.end();
}

auto allocation_of(const void *pointer) {
  return containing(allocations, pointer, [](const Allocation &allocation) { return allocation.bytes; });
}

bool is_pinned(const void *pointer) {
  return containing(pinned, pointer, [](size_t bytes) { return bytes; }) != pinned.end();
}

bool reserve(int device, uint64_t bytes) {
  const char *limit = std::getenv("HALFBYTE_EMULATED_MEMORY");
  Device &owner = device_at(device);
  if (limit && owner.taken + bytes > std::strtoull(limit, nullptr, 10)) return false;
  owner.taken += bytes;
  return true;
}

bool reserve_in(EmulatedPool &pool, uint64_t bytes) {
  uint64_t &kept = pool.kept[bytes];
  if (kept > 0) return kept--, true;
  if (!reserve(pool.device, bytes)) return false;
  pool.reserved += bytes;
  return true;
}

void unreserve(EmulatedPool &pool, uint64_t bytes) {
  pool.reserved -= bytes;
  device_at(pool.device).taken -= bytes;
}

// The block has the bytes asked for and not one more, so that sanitizers see who goes beyond; counted are whole granules.
cudaError_t allocate(void **memory, size_t bytes, EmulatedPool *pool) {
  *memory = nullptr;
  const int device = pool ? pool->device : current_device();
  if (returned(cudaSuccess, device) != cudaSuccess) return returned(cudaSuccess, device);
  if (bytes == 0) return returned(pool ? cudaErrorInvalidValue : cudaSuccess, device);
  const uint64_t counted = (bytes + 255) & ~uint64_t{255};
  const std::lock_guard<std::mutex> lock(mutex);
  if (counted < bytes || !(pool ? reserve_in(*pool, counted) : reserve(device, counted))) return returned(cudaErrorMemoryAllocation, device);
  if (posix_memalign(memory, 256, bytes) != 0) return returned(cudaErrorMemoryAllocation, device);
  std::memset(*memory, kUnwritten, bytes);
  allocations[static_cast<char *>(*memory)] = {bytes, counted, device, pool};
  return cudaSuccess;
}

// The block is counted as free at once, because whoever uses it next comes later in its stream. False: it is no block.
bool forget(void *memory) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = allocations.find(static_cast<char *>(memory));
  if (found == allocations.end()) return false;
  const auto &[bytes, counted, device, pool] = found->second;
  if (pool) pool->kept[counted]++;
  else device_at(device).taken -= counted;
  allocations.erase(found);
  return true;
}

}  // namespace

int device_of(const void *byte) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = allocation_of(byte);
  return found == allocations.end() ? -1 : found->second.device;
}

bool is_pinned_memory(const void *byte) {
  const std::lock_guard<std::mutex> lock(mutex);
  return is_pinned(byte);
}

}  // namespace hb::emulation

using namespace hb::emulation;

cudaError_t cudaMalloc(void **memory, size_t bytes) { return allocate(memory, bytes, nullptr); }

cudaError_t cudaFree(void *memory) {
  if (!memory) return returned(cudaSuccess);
  if (!forget(memory)) return returned(cudaErrorInvalidValue);
  std::free(memory);
  return returned(cudaSuccess);
}

cudaError_t cudaMallocFromPoolAsync(void **memory, size_t bytes, cudaMemPool_t pool, cudaStream_t) { return allocate(memory, bytes, pool); }

cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
  if (!forget(memory)) return returned(cudaErrorInvalidValue);
  return enqueue(stream, [=] { std::free(memory); });
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *props) {
  *pool = new EmulatedPool(props->location.id);
  return returned(cudaSuccess);
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  cudaMemPoolTrimTo(pool, 0);
  delete pool;
  return returned(cudaSuccess);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return returned(cudaSuccess); }

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr, void *value) {
  const std::lock_guard<std::mutex> lock(mutex);
  *static_cast<uint64_t *>(value) = pool->reserved;
  return returned(cudaSuccess, pool->device);
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t) {
  const std::lock_guard<std::mutex> lock(mutex);
  for (const auto &[bytes, count] : pool->kept) unreserve(*pool, bytes * count);
  pool->kept.clear();
  return returned(cudaSuccess, pool->device);
}

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  const std::lock_guard<std::mutex> lock(mutex);
  if (*memory) pinned[static_cast<char *>(*memory)] = bytes;
  return returned(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *memory) {
  const std::lock_guard<std::mutex> lock(mutex);
  pinned.erase(static_cast<char *>(memory));
  std::free(memory);
  return returned(cudaSuccess);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *pointer) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = allocation_of(pointer);
  void *const same = const_cast<void *>(pointer);
  if (found != allocations.end()) *attributes = {cudaMemoryTypeDevice, found->second.device, same, nullptr};
  else if (is_pinned(pointer)) *attributes = {cudaMemoryTypeHost, current_device(), same, same};
  else *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, same};
  return returned(cudaSuccess);
}
