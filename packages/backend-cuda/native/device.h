// CUDA, or what plays it: with HB_EMULATED the same sources become a library for the CPU, compiled by any C++ compiler.
#pragma once
#if defined(HB_EMULATED)
#include "emulation/cuda_runtime.h"
#else
#include <cuda_runtime.h>
#endif
