// Whether the driver can run this library's code on the current device.
#pragma once

namespace hb {

// Throws CudaError: no kernel image (209), PTX too new (222), no compiler for PTX (221) …
void expect_loadable_kernels();

}  // namespace hb
