// 64-bit ARM: 128 bits. Integer registers are typed as 32-bit lanes and looked at as what an operation needs.
#pragma once
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Float = float32x4_t;
using Int = int32x4_t;
using Four = Float;
constexpr std::size_t FLOATS = 4;

inline Float load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, Float a) { vst1q_f32(p, a); }
inline Float splat(float a) { return vdupq_n_f32(a); }
inline Float add(Float a, Float b) { return vaddq_f32(a, b); }
inline Float multiply(Float a, Float b) { return vmulq_f32(a, b); }
inline Float multiply_add(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
inline Float minimum(Float a, Float b) { return vminq_f32(a, b); }
inline Float divide(Float a, Float b) { return vdivq_f32(a, b); }
inline Float root(Float a) { return vsqrtq_f32(a); }
inline Float root(Int a) { return root(vcvtq_f32_s32(a)); }
inline Four load4(const float* p) { return load(p); }
inline Four splat4(float a) { return splat(a); }

inline int16x8_t as16(Int a) { return vreinterpretq_s16_s32(a); }
inline uint16x8_t as_unsigned16(Int a) { return vreinterpretq_u16_s32(a); }
inline Int as_int(int16x8_t a) { return vreinterpretq_s32_s16(a); }
inline Int as_int(uint16x8_t a) { return vreinterpretq_s32_u16(a); }
inline Int as_int(uint32x4_t a) { return vreinterpretq_s32_u32(a); }

inline Int load(const void* p) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p))); }
inline void store(void* p, Int a) { vst1q_u8(static_cast<std::uint8_t*>(p), vreinterpretq_u8_s32(a)); }
inline Int zero() { return vdupq_n_s32(0); }
inline Int splat16(int a) { return as_int(vdupq_n_s16(static_cast<std::int16_t>(a))); }
inline Int splat32(std::int32_t a) { return vdupq_n_s32(a); }
inline Int widen(const std::uint8_t* p) { return as_int(vmovl_u8(vld1_u8(p))); }
inline Int add16(Int a, Int b) { return as_int(vaddq_s16(as16(a), as16(b))); }
inline Int subtract16(Int a, Int b) { return as_int(vsubq_s16(as16(a), as16(b))); }
inline Int absolute16(Int a) { return as_int(vabsq_s16(as16(a))); }
inline Int high_product16(Int a, Int b) {
  const uint32x4_t low = vmull_u16(vget_low_u16(as_unsigned16(a)), vget_low_u16(as_unsigned16(b)));
  const uint32x4_t high = vmull_high_u16(as_unsigned16(a), as_unsigned16(b));
  return as_int(vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high)));
}
using Mask16 = Int;
inline Mask16 greater16(Int a, Int b) { return as_int(vcgtq_s16(as16(a), as16(b))); }
inline Int add_one16(Int a, Mask16 where) { return subtract16(a, where); }
inline Int subtract_one16(Int a, Mask16 where) { return add16(a, where); }
inline Int sign16(Int a) { return as_int(vshrq_n_s16(as16(a), 15)); }
template <int N>
inline Int shift_left16(Int a) { return as_int(vshlq_n_s16(as16(a), N)); }
inline Int unpack_low16(Int a, Int b) { return as_int(vzip1q_s16(as16(a), as16(b))); }
inline Int unpack_high16(Int a, Int b) { return as_int(vzip2q_s16(as16(a), as16(b))); }
inline Int multiply_pairs16(Int a, Int b) {
  const Int low = vmull_s16(vget_low_s16(as16(a)), vget_low_s16(as16(b)));
  return vpaddq_s32(low, vmull_high_s16(as16(a), as16(b)));
}
inline Int pack32(Int a, Int b) { return as_int(vqmovn_high_s32(vqmovn_s32(a), b)); }
inline Int low_half(Int a) { return vshrq_n_s32(vshlq_n_s32(a, 16), 16); }
inline Int high_half(Int a) { return vshrq_n_s32(a, 16); }
inline Int add32(Int a, Int b) { return vaddq_s32(a, b); }
inline Int maximum32(Int a, Int b) { return vmaxq_s32(a, b); }
using Mask32 = Int;
inline Mask32 greater32(Int a, Int b) { return as_int(vcgtq_s32(a, b)); }
inline Int both(Int a, Int b) { return vandq_s32(a, b); }
inline Int differ(Int a, Int b) { return veorq_s32(a, b); }
inline Int choose_bits(Int mask, Int a, Int b) { return vbslq_s32(vreinterpretq_u32_s32(mask), a, b); }
inline Int choose32(Mask32 mask, Int a, Int b) { return choose_bits(mask, a, b); }

// With 128 bits the low and high parts of `unpack_*16` are in order.
inline Float first_of(Float low, Float) { return low; }
inline Float second_of(Float, Float high) { return high; }

inline void store_bytes(std::uint8_t* p, Int a) {  // with saturation
  const uint8x8_t bytes = vqmovn_u16(vcombine_u16(vqmovun_s32(a), vdup_n_u16(0)));
  const std::uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  std::memcpy(p, &four, sizeof four);
}
inline void store_truncated_bytes(std::uint8_t* p, Float a) { store_bytes(p, vcvtq_s32_f32(a)); }
inline void store_rounded_codes(std::uint8_t* p, Float a) {  // to 0 ... 127
  store_bytes(p, vminq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127)));
}

// Sums of products of codes and weights, four to a lane: here nothing is to begin or finish.
inline Int begun(Int sum) { return sum; }
inline Int finished(Int, Int part) { return part; }
inline Int add_products(Int part, Int codes, Int weights) {
  const int8x16_t a = vreinterpretq_s8_s32(codes), b = vreinterpretq_s8_s32(weights);
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_s32(part, a, b);
#else  // two products sum to at most 2 * 127 * 127, which 16 bits hold
  const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
  return vpadalq_s16(part, vpaddq_s16(low, vmull_high_s8(a, b)));
#endif
}
inline unsigned at_least(Int a, Int limit) {
  const uint32x4_t bits = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vcgeq_s32(a, limit), bits));
}

struct Eight {
  Four low, high;
};

inline Eight load8(const float* p) { return {load(p), load(p + 4)}; }
inline Eight splat8(float a) { return {splat(a), splat(a)}; }
inline void store(float* p, Eight a) { store(p, a.low), store(p + 4, a.high); }
inline Eight add(Eight a, Eight b) { return {add(a.low, b.low), add(a.high, b.high)}; }
inline Eight multiply(Eight a, Eight b) { return {multiply(a.low, b.low), multiply(a.high, b.high)}; }
inline Eight multiply_add(Eight a, Eight b, Eight c) {
  return {multiply_add(a.low, b.low, c.low), multiply_add(a.high, b.high, c.high)};
}
inline Eight minimum(Eight a, Eight b) { return {minimum(a.low, b.low), minimum(a.high, b.high)}; }

// Of each four lanes the first of `a`, the second of `b`, the third of `c`, the fourth of `d`.
inline Four one_of_each(Four a, Four b, Four c, Four d) {
  return vcopyq_laneq_f32(vcopyq_laneq_f32(vcopyq_laneq_f32(a, 1, b, 1), 2, c, 2), 3, d, 3);
}
inline Eight one_of_each(Eight a, Eight b, Eight c, Eight d) {
  return {one_of_each(a.low, b.low, c.low, d.low), one_of_each(a.high, b.high, c.high, d.high)};
}

// The sum of each four lanes, (0 + 1) + (2 + 3), of eight fours in order.
inline Four sums_of_fours(Four a, Four b, Four c, Four d) { return vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)); }
inline Eight sums_of_fours(Eight a, Eight b, Eight c, Eight d) {
  return {sums_of_fours(a.low, a.high, b.low, b.high), sums_of_fours(c.low, c.high, d.low, d.high)};
}

// The sum of all lanes of each: the sum of the first four plus that of the last four.
inline Four sums_of_eights(Eight a, Eight b, Eight c, Eight d) {
  return add(sums_of_fours(a.low, b.low, c.low, d.low), sums_of_fours(a.high, b.high, c.high, d.high));
}

// The sum of all lanes: lane i plus lane i + 4, then the four sums.
inline float sum_of_halves(Eight a) {
  const Four four = add(a.low, a.high);
  return vgetq_lane_f32(sums_of_fours(four, four, four, four), 0);
}

using Bytes = uint8x16_t;

inline Bytes bytes_at(const std::uint8_t* p, const std::uint8_t* offsets) {
  return vqtbl1q_u8(vld1q_u8(p), vld1q_u8(offsets));
}
inline Bytes low_halves(Bytes a, Bytes b) { return vcombine_u8(vget_low_u8(a), vget_low_u8(b)); }
inline Bytes high_halves(Bytes a, Bytes b) { return vcombine_u8(vget_high_u8(a), vget_high_u8(b)); }
inline void store_16_bytes(float* p, Bytes a) {
  const uint16x8_t halves[2] = {vmovl_u8(vget_low_u8(a)), vmovl_high_u8(a)};
  for (int k = 0; k < 2; ++k) {
    store(p + 8 * k, vcvtq_f32_u32(vmovl_u16(vget_low_u16(halves[k]))));
    store(p + 8 * k + 4, vcvtq_f32_u32(vmovl_high_u16(halves[k])));
  }
}

// `split_pixels` reads PIXELS_READ pixels and writes the first PIXELS of them.
constexpr std::size_t PIXELS = 16, PIXELS_READ = 16;

inline void split_pixels(const std::uint8_t* rgb, std::uint8_t* red, std::uint8_t* green, std::uint8_t* blue) {
  const uint8x16x3_t planes = vld3q_u8(rgb);
  vst1q_u8(red, planes.val[0]), vst1q_u8(green, planes.val[1]), vst1q_u8(blue, planes.val[2]);
}

}  // namespace
