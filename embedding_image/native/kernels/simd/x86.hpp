// Registers of 128 and 256 bits on x86-64, as both of its instruction sets use them.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Four = __m128;

inline Four load4(const float* p) { return _mm_loadu_ps(p); }
inline Four splat4(float a) { return _mm_set1_ps(a); }
inline void store(float* p, Four a) { _mm_storeu_ps(p, a); }
inline Four multiply(Four a, Four b) { return _mm_mul_ps(a, b); }
inline Four multiply_add(Four a, Four b, Four c) { return _mm_fmadd_ps(a, b, c); }

using Eight = __m256;

inline Eight load8(const float* p) { return _mm256_loadu_ps(p); }
inline Eight splat8(float a) { return _mm256_set1_ps(a); }
inline void store(float* p, Eight a) { _mm256_storeu_ps(p, a); }
inline Eight add(Eight a, Eight b) { return _mm256_add_ps(a, b); }
inline Eight multiply(Eight a, Eight b) { return _mm256_mul_ps(a, b); }
inline Eight multiply_add(Eight a, Eight b, Eight c) { return _mm256_fmadd_ps(a, b, c); }
inline Eight minimum(Eight a, Eight b) { return _mm256_min_ps(a, b); }

// Of each four lanes the first of `a`, the second of `b`, the third of `c`, the fourth of `d`.
inline Eight one_of_each(Eight a, Eight b, Eight c, Eight d) {
  return _mm256_blend_ps(_mm256_blend_ps(_mm256_blend_ps(a, b, 0x22), c, 0x44), d, 0x88);
}

// The sum of each four lanes, (0 + 1) + (2 + 3), of eight fours in order.
inline Eight sums_of_fours(Eight a, Eight b, Eight c, Eight d) {
  const Eight sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm256_permutevar8x32_ps(sums, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

// The sum of all lanes of each: the sum of the first four plus that of the last four.
inline Four sums_of_eights(Eight a, Eight b, Eight c, Eight d) {
  const Eight sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
}

// The sum of all lanes: lane i plus lane i + 4, then the four sums.
inline float sum_of_halves(Eight a) {
  Four four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  four = _mm_hadd_ps(four, four);
  return _mm_cvtss_f32(_mm_hadd_ps(four, four));
}

using Bytes = __m128i;

inline Bytes bytes_at(const std::uint8_t* p, const std::uint8_t* offsets) {
  const Bytes bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm_shuffle_epi8(bytes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(offsets)));
}
inline Bytes low_halves(Bytes a, Bytes b) { return _mm_unpacklo_epi64(a, b); }
inline Bytes high_halves(Bytes a, Bytes b) { return _mm_unpackhi_epi64(a, b); }

// `split_pixels` reads PIXELS_READ pixels and writes the first PIXELS of them.
constexpr std::size_t PIXELS = 4, PIXELS_READ = 6;

inline void split_pixels(const std::uint8_t* rgb, std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue) {
  const Bytes by_channel = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
  const Bytes planar = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rgb)), by_channel);
  const int four[3] = {_mm_cvtsi128_si32(planar), _mm_extract_epi32(planar, 1), _mm_extract_epi32(planar, 2)};
  std::memcpy(red, &four[0], 4), std::memcpy(green, &four[1], 4), std::memcpy(blue, &four[2], 4);
}

}  // namespace
