// The kernels of one instruction set, compiled once for each with its flags; restrictions: see kernels.hpp.
#include "../kernels.hpp"

#include "cells.hpp"
#include "gradients.hpp"
#include "resize.hpp"
#include "scan.hpp"

#if defined(__ARM_FEATURE_DOTPROD)
#define KERNELS DOTPROD_KERNELS
#define NAME "dotprod"
#elif defined(__aarch64__)
#define KERNELS NEON_KERNELS
#define NAME "neon"
#elif defined(__AVX512VNNI__)
#define KERNELS AVX512_KERNELS
#define NAME "avx512"
#else
#define KERNELS AVX2_KERNELS
#define NAME "avx2"
#endif

namespace meanface {

const Kernels KERNELS = {NAME,    BAND,    split, spread,    blend,  gradients,
                         scatter, combine, norms, normalise, encode, scan,      score};

}  // namespace meanface
