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

}  // namespace
