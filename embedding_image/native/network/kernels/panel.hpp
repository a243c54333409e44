// How many output channels and rows are computed together, by the registers that there are.
#pragma once
#include "vector.hpp"

// Arrays of registers must be unrolled: otherwise the compiler keeps them in memory.
#define UNROLL _Pragma("GCC unroll 24")

namespace {

constexpr std::size_t PANEL = LANES == 16 ? 32 : 16;  // output channels
constexpr std::size_t VECTORS = PANEL / LANES;
#if defined(__AVX512F__) && !defined(MEANFACE_NARROW)
constexpr std::size_t ROWS = 12;  // 24 sums in 32 registers
#else
constexpr std::size_t ROWS = 6;  // 12 sums in 16 registers; 24 in NEON's 32
#endif

// Filters come from L3 or from memory: panel by panel they lie in the order in which they are read, and are
// fetched so many floats ahead of use. What is fetched beyond a layer's filters does no harm.
constexpr std::size_t AHEAD = 576 * PANEL;

template <std::size_t COUNT>
inline void fetch_ahead(const float* filters) {
  constexpr std::size_t LINE = 16, INTO_L2 = 2;
  for (std::size_t i = 0; i < COUNT; i += LINE) __builtin_prefetch(filters + AHEAD + i, 0, INTO_L2);
}

}  // namespace
