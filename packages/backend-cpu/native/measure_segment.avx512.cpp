// How far a segment's decoded values are from the original ones (measure_segment_lanes.h). Registers: sums 4, maximum 1, scale 1, values 3.
#include "lanes_avx512.h"
#include "measure_segment_lanes.h"

namespace hb::avx512 {

void measure_segment(Floats x, uint64_t begin, uint64_t count, const float *decoded, float *figures) {
  measure_segment_lanes<Lanes, LargestLanes>(x, begin, count, decoded, figures);
}

}  // namespace hb::avx512
