// Matrix products on CUDA cores: how many rows and slices, tiles of which size.
#pragma once
#include "device_traits.h"
#include "grid.h"
#include "f32_rows.cuh"
#include "f32_tile.cuh"

namespace hb {

template <uint32_t kRows, class Weight>
void launch_rows(cudaStream_t stream, const DeviceTraits &device, const Matrix &x, const Weight &weight, const Result &result) {
  using Task = RowsTask<Weight>;
  // Enough to hide the way to memory.
  const uint64_t wanted_warps = uint64_t{16} * device.multiprocessors;
  Task task = {x, weight, result, 1};
  while (task.slices < most_slices(kRows) && task.slices * uint64_t{Task::kStep} < x.inner &&
         ceil_div(result.columns, kRowsColumns) * task.slices < wanted_warps)
    task.slices *= 2;
  const TileGrid grid(result.rows, kRows, result.columns, task.columns());
  launch(f32_rows<Weight, kRows>, thread_blocks(grid.tiles()), kRowsThreads, stream, task, grid);
}

template <class Weight>
TileGrid grid_of(const TileTask<Weight> &task, uint32_t side) {
  return TileGrid(task.result.rows, uint64_t{8} * side, task.result.columns, uint64_t{16} * side);
}

// The smaller tiles where the larger ones would be mostly empty, or too few for the device.
template <class Weight>
void launch_tile(cudaStream_t stream, const DeviceTraits &device, const TileTask<Weight> &task) {
  const bool is_large = task.result.rows > 32 && grid_of(task, 8).tiles() >= static_cast<uint64_t>(device.multiprocessors);
  const TileGrid grid = grid_of(task, is_large ? 8 : 4);
  launch(is_large ? f32_tile<Weight, 8> : f32_tile<Weight, 4>, thread_blocks(grid.tiles()), kTileThreads, stream, task, grid);
}

}  // namespace hb
