// The network's kernels of one instruction set, compiled once for each with its flags; see ../kernels.hpp.
#include "../kernels.hpp"

#include "few_tiles.hpp"
#include "pools.hpp"
#include "products.hpp"
#include "rows.hpp"
#include "tiles.hpp"

#if defined(__aarch64__)
#define KERNELS NEON_NETWORK
#define NAME "neon"
#elif defined(MEANFACE_NARROW)
#define KERNELS NARROW_NETWORK
#define NAME "narrow"
#elif defined(__AVX512F__)
#define KERNELS AVX512_NETWORK
#define NAME "avx512"
#else
#define KERNELS AVX2_NETWORK
#define NAME "avx2"
#endif

namespace meanface {

const NetworkKernels KERNELS = {NAME,         PANEL,        ROW_PANEL, transform_filters, transform_tiles,
                                finish_tiles, finish_first, multiply,  multiply_few,      convolve,
                                convolve_row, score_row,    maximum_pool, average_pool};

}  // namespace meanface
