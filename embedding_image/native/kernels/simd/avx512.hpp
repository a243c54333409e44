// AVX-512 with VNNI: 512 bits.
#pragma once
#include "x86.hpp"

namespace {

using Float = __m512;
using Int = __m512i;
constexpr std::size_t FLOATS = 16;

inline Float load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Float a) { _mm512_storeu_ps(p, a); }
inline Float splat(float a) { return _mm512_set1_ps(a); }
inline Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
inline Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
inline Float multiply_add(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
inline Float divide(Float a, Float b) { return _mm512_div_ps(a, b); }
inline Float root(Float a) { return _mm512_sqrt_ps(a); }
inline Float root(Int a) { return root(_mm512_cvtepi32_ps(a)); }

inline Int load(const void* p) { return _mm512_loadu_si512(p); }
inline void store(void* p, Int a) { _mm512_storeu_si512(p, a); }
inline Int zero() { return _mm512_setzero_si512(); }
inline Int splat16(int a) { return _mm512_set1_epi16(static_cast<short>(a)); }
inline Int splat32(std::int32_t a) { return _mm512_set1_epi32(a); }
inline Int widen(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Int add16(Int a, Int b) { return _mm512_add_epi16(a, b); }
inline Int subtract16(Int a, Int b) { return _mm512_sub_epi16(a, b); }
inline Int absolute16(Int a) { return _mm512_abs_epi16(a); }
inline Int high_product16(Int a, Int b) { return _mm512_mulhi_epu16(a, b); }
using Mask16 = __mmask32;
inline Mask16 greater16(Int a, Int b) { return _mm512_cmpgt_epi16_mask(a, b); }
inline Int add_one16(Int a, Mask16 where) { return _mm512_mask_add_epi16(a, where, a, _mm512_set1_epi16(1)); }
inline Int subtract_one16(Int a, Mask16 where) { return _mm512_mask_sub_epi16(a, where, a, _mm512_set1_epi16(1)); }
inline Int sign16(Int a) { return _mm512_srai_epi16(a, 15); }
template <int N>
inline Int shift_left16(Int a) { return _mm512_slli_epi16(a, N); }
inline Int unpack_low16(Int a, Int b) { return _mm512_unpacklo_epi16(a, b); }
inline Int unpack_high16(Int a, Int b) { return _mm512_unpackhi_epi16(a, b); }
inline Int multiply_pairs16(Int a, Int b) { return _mm512_madd_epi16(a, b); }
inline Int pack32(Int a, Int b) { return _mm512_packs_epi32(a, b); }
inline Int low_half(Int a) { return _mm512_srai_epi32(_mm512_slli_epi32(a, 16), 16); }
inline Int high_half(Int a) { return _mm512_srai_epi32(a, 16); }
inline Int add32(Int a, Int b) { return _mm512_add_epi32(a, b); }
inline Int maximum32(Int a, Int b) { return _mm512_max_epi32(a, b); }
using Mask32 = __mmask16;
inline Mask32 greater32(Int a, Int b) { return _mm512_cmpgt_epi32_mask(a, b); }
inline Int choose32(Mask32 mask, Int a, Int b) { return _mm512_mask_mov_epi32(b, mask, a); }
inline Int both(Int a, Int b) { return _mm512_and_si512(a, b); }
inline Int differ(Int a, Int b) { return _mm512_xor_si512(a, b); }
inline Int choose_bits(Int mask, Int a, Int b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xCA); }

// The low and high parts of `unpack_*16`, in order.
inline Float first_of(Float low, Float high) {
  return _mm512_permutex2var_ps(low, _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23), high);
}
inline Float second_of(Float low, Float high) {
  return _mm512_permutex2var_ps(low, _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31),
                                high);
}

inline void store_truncated_bytes(std::uint8_t* p, Float a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(a)));
}
inline void store_16_bytes(float* p, Bytes a) { store(p, _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(a))); }
inline void store_rounded_codes(std::uint8_t* p, Float a) {  // to 0 ... 127
  const Int code = _mm512_max_epi32(_mm512_min_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127)), zero());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(code));
}

// Sums of products of codes and weights, four to a lane: here nothing is to begin or finish.
inline Int begun(Int sum) { return sum; }
inline Int add_products(Int part, Int codes, Int weights) { return _mm512_dpbusd_epi32(part, codes, weights); }
inline Int finished(Int, Int part) { return part; }
inline unsigned at_least(Int a, Int limit) { return _mm512_cmpge_epi32_mask(a, limit); }

}  // namespace
