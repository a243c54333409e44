// AVX2: 256 bits.
#pragma once
#include "x86.hpp"

namespace {

using Float = Eight;
using Int = __m256i;
constexpr std::size_t FLOATS = 8;

inline Float load(const float* p) { return load8(p); }
inline Float splat(float a) { return splat8(a); }
inline Float divide(Float a, Float b) { return _mm256_div_ps(a, b); }
inline Float root(Float a) { return _mm256_sqrt_ps(a); }
inline Float root(Int a) { return root(_mm256_cvtepi32_ps(a)); }

inline Int load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store(void* p, Int a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a); }
inline Int zero() { return _mm256_setzero_si256(); }
inline Int splat16(int a) { return _mm256_set1_epi16(static_cast<short>(a)); }
inline Int splat32(std::int32_t a) { return _mm256_set1_epi32(a); }
inline Int widen(const std::uint8_t* p) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Int add16(Int a, Int b) { return _mm256_add_epi16(a, b); }
inline Int subtract16(Int a, Int b) { return _mm256_sub_epi16(a, b); }
inline Int absolute16(Int a) { return _mm256_abs_epi16(a); }
inline Int high_product16(Int a, Int b) { return _mm256_mulhi_epu16(a, b); }
using Mask16 = Int;
inline Mask16 greater16(Int a, Int b) { return _mm256_cmpgt_epi16(a, b); }
inline Int add_one16(Int a, Mask16 where) { return _mm256_sub_epi16(a, where); }
inline Int subtract_one16(Int a, Mask16 where) { return _mm256_add_epi16(a, where); }
inline Int sign16(Int a) { return _mm256_srai_epi16(a, 15); }
template <int N>
inline Int shift_left16(Int a) { return _mm256_slli_epi16(a, N); }
inline Int unpack_low16(Int a, Int b) { return _mm256_unpacklo_epi16(a, b); }
inline Int unpack_high16(Int a, Int b) { return _mm256_unpackhi_epi16(a, b); }
inline Int multiply_pairs16(Int a, Int b) { return _mm256_madd_epi16(a, b); }
inline Int pack32(Int a, Int b) { return _mm256_packs_epi32(a, b); }
inline Int low_half(Int a) { return _mm256_srai_epi32(_mm256_slli_epi32(a, 16), 16); }
inline Int high_half(Int a) { return _mm256_srai_epi32(a, 16); }
inline Int add32(Int a, Int b) { return _mm256_add_epi32(a, b); }
inline Int maximum32(Int a, Int b) { return _mm256_max_epi32(a, b); }
using Mask32 = Int;
inline Mask32 greater32(Int a, Int b) { return _mm256_cmpgt_epi32(a, b); }
inline Int choose32(Mask32 mask, Int a, Int b) { return _mm256_blendv_epi8(b, a, mask); }
inline Int both(Int a, Int b) { return _mm256_and_si256(a, b); }
inline Int differ(Int a, Int b) { return _mm256_xor_si256(a, b); }
inline Int choose_bits(Int mask, Int a, Int b) { return _mm256_blendv_epi8(b, a, mask); }

inline Float first_of(Float low, Float high) { return _mm256_permute2f128_ps(low, high, 0x20); }
inline Float second_of(Float low, Float high) { return _mm256_permute2f128_ps(low, high, 0x31); }

inline void store_bytes(std::uint8_t* p, Int a) {  // with saturation
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
inline void store_truncated_bytes(std::uint8_t* p, Float a) { store_bytes(p, _mm256_cvttps_epi32(a)); }
inline void store_16_bytes(float* p, Bytes a) {
  store(p, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(a)));
  store(p + 8, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(a, 8))));
}
inline void store_rounded_codes(std::uint8_t* p, Float a) {  // to 0 ... 127
  store_bytes(p, _mm256_min_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127)));
}

// Sums of products of codes and weights over COLUMNS_SUMMED columns, which 16 bits hold: `begun`, `add_products`
// for each column, `finished`.
inline Int begun(Int) { return zero(); }
inline Int add_products(Int part, Int codes, Int weights) { return add16(part, _mm256_maddubs_epi16(codes, weights)); }
inline Int finished(Int sum, Int part) { return add32(sum, _mm256_madd_epi16(part, splat16(1))); }
inline unsigned at_least(Int a, Int limit) {
  const Int below = _mm256_cmpgt_epi32(limit, a);
  return ~static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(below))) & 0xFF;
}

}  // namespace
