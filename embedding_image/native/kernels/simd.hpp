// Vectors of three kinds, as each instruction set has them.
//
//   Float, Int    the set's own width, for lanes that do not meet
//   Eight, Four   eight and four floats in every set: sums across lanes have one order, and the same bits
//   Bytes         16 bytes
//
// A comparison gives a mask, a bit for each lane or a lane of all ones; one source serves both. `unpack`
// and `pack` work within each 128 bits: unpacking, computing and packing keeps the order.
#pragma once
#if defined(__aarch64__)
#include "simd/neon.hpp"
#elif defined(__AVX512VNNI__)
#include "simd/avx512.hpp"
#else
#include "simd/avx2.hpp"
#endif
