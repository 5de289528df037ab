// Pools of device memory.
#include "memory.h"

#include "errors.h"
#include "standard.h"

namespace hb {

namespace {

// CUDA's own pool (11.2 and newer; not on every device and not in every virtual machine). One per queue: the pool of the device belongs to
// whatever framework shares the process.
class StreamOrderedMemory final : public DeviceMemory {
 public:
  StreamOrderedMemory(int device, cudaStream_t stream) : stream_(stream) {
    cudaMemPoolProps props = {};
    props.allocType = cudaMemAllocationTypePinned;
    props.location.type = cudaMemLocationTypeDevice;
    props.location.id = device;
    expect(cudaMemPoolCreate(&pool_, &props), "cudaMemPoolCreate");
    uint64_t keep_everything = ~uint64_t{0};
    expect(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_everything), "cudaMemPoolSetAttribute");
  }

  ~StreamOrderedMemory() override {
    for (const auto &[block, bytes] : live_) cudaFreeAsync(block, stream_);
    cudaStreamSynchronize(stream_);
    cudaMemPoolDestroy(pool_);
  }

  void *take(uint64_t bytes) override {
    void *block = nullptr;
    cudaError_t result = cudaMallocFromPoolAsync(&block, bytes, pool_, stream_);
    if (result == cudaErrorMemoryAllocation) {
      // What others of this process hold may be on its way back; ours is kept in pieces that may be too small.
      cudaGetLastError();
      expect(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      expect(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
      result = cudaMallocFromPoolAsync(&block, bytes, pool_, stream_);
    }
    expect(result, "cudaMallocFromPoolAsync");
    live_[block] = bytes;
    used_ += bytes;
    return block;
  }

  void give_back(void *block) override {
    const auto found = live_.find(block);
    if (found == live_.end()) return;
    used_ -= found->second;
    live_.erase(found);
    expect(cudaFreeAsync(block, stream_), "cudaFreeAsync");
  }

  MemoryCounters counters() override {
    uint64_t reserved = used_;
    cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved);
    return {used_, reserved > used_ ? reserved - used_ : 0};
  }

 private:
  const cudaStream_t stream_;
  cudaMemPool_t pool_ = nullptr;
  Map<void *, uint64_t> live_;
  uint64_t used_ = 0;
};

// Blocks in size classes, four to a power of two: at most a fifth of a block is unused. Kept until memory runs out or the queue ends.
class KeptMemory final : public DeviceMemory {
 public:
  explicit KeptMemory(cudaStream_t stream) : stream_(stream) {}

  ~KeptMemory() override {
    cudaStreamSynchronize(stream_);
    trim();
    for (const auto &[block, bytes] : live_) cudaFree(block);
  }

  void *take(uint64_t bytes) override {
    const uint64_t capacity = capacity_for(bytes);
    void *block = take_kept(capacity);
    if (!block) block = allocate(capacity);
    live_[block] = capacity;
    used_ += capacity;
    return block;
  }

  void give_back(void *block) override {
    const auto found = live_.find(block);
    if (found == live_.end()) return;
    const uint64_t capacity = found->second;
    kept_[capacity].push_back(block);
    live_.erase(found);
    used_ -= capacity;
    pooled_ += capacity;
  }

  MemoryCounters counters() override { return {used_, pooled_}; }

 private:
  // CUDA hands out multiples of 256 bytes anyway.
  static uint64_t capacity_for(uint64_t bytes) {
    uint64_t step = 256;
    while (bytes > 8 * step) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  void *take_kept(uint64_t capacity) {
    const auto found = kept_.find(capacity);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    void *block = found->second.back();
    found->second.pop_back();
    pooled_ -= capacity;
    return block;
  }

  void *allocate(uint64_t capacity) {
    void *block = nullptr;
    cudaError_t result = cudaMalloc(&block, capacity);
    if (result == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      expect(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      trim();
      result = cudaMalloc(&block, capacity);
    }
    expect(result, "cudaMalloc");
    return block;
  }

  // The stream is idle.
  void trim() {
    for (auto &[capacity, blocks] : kept_)
      for (void *block : blocks) cudaFree(block);
    kept_.clear();
    pooled_ = 0;
  }

  const cudaStream_t stream_;
  Map<uint64_t, Vector<void *>> kept_;
  Map<void *, uint64_t> live_;
  uint64_t used_ = 0, pooled_ = 0;
};

}  // namespace

std::unique_ptr<DeviceMemory> make_device_memory(int device, cudaStream_t stream) {
  int has_pools = 0;
  expect(cudaDeviceGetAttribute(&has_pools, cudaDevAttrMemoryPoolsSupported, device), "cudaDeviceGetAttribute");
  if (has_pools) return std::make_unique<StreamOrderedMemory>(device, stream);
  return std::make_unique<KeptMemory>(stream);
}

}  // namespace hb
