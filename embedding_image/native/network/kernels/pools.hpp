// Maxima and means of neighbouring pixels.
#pragma once
#include "../kernels.hpp"
#include "panel.hpp"

namespace {

void maximum_pool(const float* const rows[3], std::size_t columns, std::size_t channels, const float* biases,
                  float* output) {
  for (std::size_t x = 0; x < columns; ++x, output += channels) {
    for (std::size_t c = 0; c < channels; c += LANES) {
      const std::size_t corner = 2 * x * channels + c;
      Vector largest = load(rows[0] + corner);
      UNROLL for (std::size_t i = 1; i < 9; ++i)
        largest = maximum(largest, load(rows[i / 3] + corner + i % 3 * channels));
      store(output + c, relu(add(largest, load(biases + c))));
    }
  }
}

void average_pool(const float* const rows[2], std::size_t columns, std::size_t channels, float* output,
                  std::size_t output_channels) {
  for (std::size_t x = 0; x < columns; ++x, output += output_channels) {
    for (std::size_t c = 0; c < channels; c += LANES) {
      const float *upper = rows[0] + 2 * x * channels + c, *lower = rows[1] + 2 * x * channels + c;
      const Vector above = add(load(upper), load(upper + channels)), below = add(load(lower), load(lower + channels));
      store(output + c, multiply(add(above, below), splat(0.25F)));
    }
    for (std::size_t c = channels; c < output_channels; c += LANES) store(output + c, splat(0));
  }
}

}  // namespace
