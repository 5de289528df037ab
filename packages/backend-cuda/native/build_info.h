// What this library says of itself.
#pragma once

namespace hb {

// From now on hb_build_info names this device. Throws CudaError.
void see_device(int device);

}  // namespace hb
