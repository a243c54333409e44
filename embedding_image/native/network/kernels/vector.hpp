// A register of floats. Every multiplication with an addition is a fused one, written as such.
#pragma once
#if defined(__aarch64__)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#include <cstddef>

namespace {

#if defined(__aarch64__)

using Vector = float32x4_t;

inline Vector load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, Vector a) { vst1q_f32(p, a); }
inline Vector splat(float a) { return vdupq_n_f32(a); }
inline Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
inline Vector subtract(Vector a, Vector b) { return vsubq_f32(a, b); }
inline Vector multiply(Vector a, Vector b) { return vmulq_f32(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
inline Vector maximum(Vector a, Vector b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }

#elif defined(MEANFACE_NARROW)

using Vector = __m128;

inline Vector load(const float* p) { return _mm_loadu_ps(p); }
inline void store(float* p, Vector a) { _mm_storeu_ps(p, a); }
inline Vector splat(float a) { return _mm_set1_ps(a); }
inline Vector add(Vector a, Vector b) { return _mm_add_ps(a, b); }
inline Vector subtract(Vector a, Vector b) { return _mm_sub_ps(a, b); }
inline Vector multiply(Vector a, Vector b) { return _mm_mul_ps(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm_fmadd_ps(a, b, c); }
inline Vector maximum(Vector a, Vector b) { return _mm_max_ps(a, b); }

#elif defined(__AVX512F__)

using Vector = __m512;

inline Vector load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vector a) { _mm512_storeu_ps(p, a); }
inline Vector splat(float a) { return _mm512_set1_ps(a); }
inline Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
inline Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
inline Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
inline Vector maximum(Vector a, Vector b) { return _mm512_max_ps(a, b); }

#else

using Vector = __m256;

inline Vector load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vector a) { _mm256_storeu_ps(p, a); }
inline Vector splat(float a) { return _mm256_set1_ps(a); }
inline Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
inline Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
inline Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector maximum(Vector a, Vector b) { return _mm256_max_ps(a, b); }

#endif

constexpr std::size_t LANES = sizeof(Vector) / sizeof(float);

// `maximum` gives its second argument if neither is larger, as zeros of both signs: the result is never -0.
inline Vector relu(Vector a) { return maximum(a, splat(0)); }

}  // namespace
