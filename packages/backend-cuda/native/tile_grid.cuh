// The tiles of a result, numbered down its rows first: then neighbouring thread blocks read the same part of the weight.
#pragma once
#include "divisor.cuh"
#include "grid.h"

namespace hb {

class TileGrid {
 public:
  // Of a result with so many rows and columns, at least one of each.
  TileGrid(uint64_t rows, uint64_t tile_rows, uint64_t columns, uint64_t tile_columns)
      : down_(ceil_div(rows, tile_rows)), tiles_(ceil_div(rows, tile_rows) * ceil_div(columns, tile_columns)) {}

  __host__ __device__ uint64_t tiles() const { return tiles_; }
  __device__ uint64_t row_of(uint64_t tile) const { return down_.remainder(tile); }
  __device__ uint64_t column_of(uint64_t tile) const { return down_.quotient(tile); }

 private:
  Divisor down_;
  uint64_t tiles_;
};

}  // namespace hb
