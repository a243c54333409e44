// Winograd's transforms in one dimension, with six points: 0, 5/8, -5/8, 3/2, -3/2 and infinity.
//
// With these points, outputs err about as much as without a transform; with the usual ones (0, 1, -1, 2,
// -2) twice as much. The constants of the input's transform are exact in float. The divisors that
// belong to the filters are in the output's transform, which multiplies anyway.
#pragma once
#include "../kernels.hpp"
#include "vector.hpp"

namespace {

using meanface::TILE;

constexpr double A = meanface::POINT_A, B = meanface::POINT_B;
constexpr double A2 = A * A, B2 = B * B;
constexpr double ZERO_WEIGHT = 1 / (A2 * B2), A_WEIGHT = 1 / (2 * A2 * (A2 - B2)), B_WEIGHT = 1 / (2 * B2 * (B2 - A2));

inline Vector constant(double value) { return splat(static_cast<float>(value)); }

// Six inputs.
inline void transform_input(const Vector in[TILE], Vector out[TILE]) {
  const Vector even_b = multiply_add(constant(-B2), in[2], in[4]), odd_b = multiply_add(constant(-B2), in[1], in[3]);
  const Vector even_a = multiply_add(constant(-A2), in[2], in[4]), odd_a = multiply_add(constant(-A2), in[1], in[3]);
  const Vector product = constant(A2 * B2), sum = constant(-A2 - B2);
  out[0] = multiply_add(product, in[0], multiply_add(sum, in[2], in[4]));
  out[1] = multiply_add(constant(A), odd_b, even_b);
  out[2] = multiply_add(constant(-A), odd_b, even_b);
  out[3] = multiply_add(constant(B), odd_a, even_a);
  out[4] = multiply_add(constant(-B), odd_a, even_a);
  out[5] = multiply_add(product, in[1], multiply_add(sum, in[3], in[5]));
}

// Filters of three taps.
inline void transform_filter(const Vector in[3], Vector out[TILE]) {
  const Vector even_a = multiply_add(constant(A2), in[2], in[0]), even_b = multiply_add(constant(B2), in[2], in[0]);
  out[0] = in[0];
  out[1] = multiply_add(constant(A), in[1], even_a);
  out[2] = multiply_add(constant(-A), in[1], even_a);
  out[3] = multiply_add(constant(B), in[1], even_b);
  out[4] = multiply_add(constant(-B), in[1], even_b);
  out[5] = in[2];
}

// Four outputs for filters of three taps, or three outputs for filters of four.
template <std::size_t OUTPUTS>
inline void transform_output(const Vector in[TILE], Vector out[OUTPUTS]) {
  static_assert(OUTPUTS == 3 || OUTPUTS == 4);
  const Vector even_a = add(in[1], in[2]), odd_a = subtract(in[1], in[2]);
  const Vector even_b = add(in[3], in[4]), odd_b = subtract(in[3], in[4]);
  const Vector zero = multiply(constant(ZERO_WEIGHT), in[0]);
  out[0] = multiply_add(constant(A_WEIGHT), even_a, multiply_add(constant(B_WEIGHT), even_b, zero));
  out[1] = multiply_add(constant(A_WEIGHT * A), odd_a, multiply(constant(B_WEIGHT * B), odd_b));
  if constexpr (OUTPUTS == 3) {
    out[2] = multiply_add(constant(A_WEIGHT * A2), even_a, multiply_add(constant(B_WEIGHT * B2), even_b, in[5]));
  } else {
    out[2] = multiply_add(constant(A_WEIGHT * A2), even_a, multiply(constant(B_WEIGHT * B2), even_b));
    const Vector cubes = multiply_add(constant(B_WEIGHT * B2 * B), odd_b, in[5]);
    out[3] = multiply_add(constant(A_WEIGHT * A2 * A), odd_a, cubes);
  }
}

}  // namespace
