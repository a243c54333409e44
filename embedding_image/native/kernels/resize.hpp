// Bilinear resizing with the same bytes as dlib's `resize_image`. Sums are truncated, so the order of every
// addition matters, and none may be fused with a multiplication.
#pragma once
#include "../kernels.hpp"
#include "simd.hpp"

namespace {

// A row of pixels as three planes.
void split(const std::uint8_t* rgb, std::size_t columns, std::uint8_t* const planes[3]) {
  std::uint8_t *red = planes[0], *green = planes[1], *blue = planes[2];
  std::size_t x = 0;
  for (; x + PIXELS_READ <= columns; x += PIXELS) split_pixels(rgb + 3 * x, red + x, green + x, blue + x);
  for (; x < columns; ++x) red[x] = rgb[3 * x], green[x] = rgb[3 * x + 1], blue[x] = rgb[3 * x + 2];
}

// Left and right neighbours of all output columns in one input row. Eight output columns lie within 16 input bytes.
void spread(const std::uint8_t* row, const std::int32_t* base, const std::uint8_t* offset, std::size_t columns,
            float* left, float* right) {
  for (std::size_t c = 0; c < columns; c += 16, base += 2, offset += 32) {
    const Bytes one = bytes_at(row + base[0], offset), other = bytes_at(row + base[1], offset + 16);
    store_16_bytes(left + c, low_halves(one, other));
    store_16_bytes(right + c, high_halves(one, other));
  }
}

void blend_tail(const meanface::Blend& b, const meanface::Planes& top_row, const meanface::Planes& bottom_row,
                std::uint8_t* const output[3]) {
  const double bottom = b.bottom_weight, top = 1 - bottom;
  for (int channel = 0; channel < 3; ++channel) {
    const std::uint8_t *above = top_row[channel], *below = bottom_row[channel];
    for (std::size_t c = 0; c < b.tail; ++c) {
      const std::int32_t l = b.tail_left[c], r = b.tail_right[c];
      const double right = b.tail_weight[c], left = 1 - right;
      const double value = top * (left * above[l] + right * above[r]) + bottom * (left * below[l] + right * below[r]);
      output[channel][b.vectors + c] = static_cast<std::uint8_t>(value);
    }
  }
}

// One output row: whole registers up to `columns`, then the tail over the excess.
void blend(const meanface::Blend& b, const meanface::Neighbours& top, const meanface::Neighbours& bottom,
           const meanface::Planes& top_row, const meanface::Planes& bottom_row, std::uint8_t* const output[3]) {
  const Float below = splat(static_cast<float>(b.bottom_weight));
  const Float above = splat(static_cast<float>(1 - b.bottom_weight));
  // Copies, so that the compiler knows that no written byte changes them.
  const std::size_t columns = b.columns;
  const float *left_weight = b.left_weight, *right_weight = b.right_weight;
  const meanface::Neighbours upper = top, lower = bottom;
  std::uint8_t* const to[3] = {output[0], output[1], output[2]};
  for (std::size_t c = 0; c < columns; c += FLOATS) {
    const Float left = load(left_weight + c), right = load(right_weight + c);
    const Float top_left = multiply(above, left), top_right = multiply(above, right);
    const Float bottom_left = multiply(below, left), bottom_right = multiply(below, right);
#pragma GCC unroll 3
    for (int channel = 0; channel < 3; ++channel) {
      Float sum = multiply(top_left, load(upper.left[channel] + c));
      sum = add(sum, multiply(top_right, load(upper.right[channel] + c)));
      sum = add(sum, multiply(bottom_left, load(lower.left[channel] + c)));
      sum = add(sum, multiply(bottom_right, load(lower.right[channel] + c)));
      store_truncated_bytes(to[channel] + c, sum);
    }
  }
  blend_tail(b, top_row, bottom_row, output);
}

}  // namespace
