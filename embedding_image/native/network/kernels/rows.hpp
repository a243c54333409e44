// Rows of outputs of the CNN detector's convolutions of 5 x 5, and of its scores.
//
// A layer's filters stay in the cache of level 2, and the few rows of inputs, too: each output is computed
// at once, without a transform.
#pragma once
#include "../kernels.hpp"
#include "panel.hpp"

namespace {

constexpr std::size_t ROW_PANEL = LANES == 16 ? 48 : 16;  // output channels
#if defined(__AVX512F__) && !defined(MEANFACE_NARROW) || defined(__aarch64__)
constexpr std::size_t ROW_SUMS = 24;  // in 32 registers
#else
constexpr std::size_t ROW_SUMS = 12;  // in 16 registers
#endif

// COUNT outputs, STEP floats of input apart, of REGISTERS registers of channels each.
template <std::size_t REGISTERS, std::size_t STEP, std::size_t COUNT>
inline void convolve_outputs(const meanface::RowConvolution& conv, const float* filters, const float* biases,
                             std::size_t x, float* outputs) {
  Vector sum[COUNT][REGISTERS];
  UNROLL for (std::size_t i = 0; i < COUNT; ++i) {
    UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) sum[i][v] = splat(0);
  }
  for (std::size_t row = 0; row < conv.side; ++row) {
    const float* tap = conv.rows[row] + x * STEP;
    for (std::size_t column = 0; column < conv.side; ++column, tap += conv.pixel) {
      for (std::size_t c = 0; c < conv.inputs; ++c, filters += REGISTERS * LANES) {
        Vector filter[REGISTERS];
        UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) filter[v] = load(filters + v * LANES);
        UNROLL for (std::size_t i = 0; i < COUNT; ++i) {
          const Vector value = splat(tap[i * STEP + c]);
          UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) sum[i][v] = multiply_add(value, filter[v], sum[i][v]);
        }
      }
    }
  }
  UNROLL for (std::size_t i = 0; i < COUNT; ++i) {
    UNROLL for (std::size_t v = 0; v < REGISTERS; ++v)
      store(outputs + (x + i) * conv.channels + v * LANES, relu(add(sum[i][v], load(biases + v * LANES))));
  }
}

template <std::size_t REGISTERS, std::size_t STEP>
void convolve_row_of(const meanface::RowConvolution& conv, float* outputs) {
  constexpr std::size_t COUNT = ROW_SUMS / REGISTERS, CHANNELS = REGISTERS * LANES;
  const std::size_t panel = conv.side * conv.side * conv.inputs * CHANNELS;
  for (std::size_t k = 0; k < conv.channels; k += CHANNELS) {
    const float* const filters = conv.filters + k / CHANNELS * panel;
    const auto block = [&](std::size_t x) {
      convolve_outputs<REGISTERS, STEP, COUNT>(conv, filters, conv.biases + k, x, outputs + k);
    };
    std::size_t x = 0;
    for (; x + COUNT <= conv.columns; x += COUNT) block(x);
    if (x == conv.columns) continue;
    if (conv.columns >= COUNT) {
      block(conv.columns - COUNT);  // the last ones; some of them a second time, with the same bits
    } else {
      for (; x < conv.columns; ++x)
        convolve_outputs<REGISTERS, STEP, 1>(conv, filters, conv.biases + k, x, outputs + k);
    }
  }
}

template <std::size_t STEP>
void convolve_row_by(const meanface::RowConvolution& conv, float* outputs) {
  if constexpr (ROW_PANEL > 16) {
    if (conv.channels == 16) return convolve_row_of<16 / LANES, STEP>(conv, outputs);
    if (conv.channels == 32) return convolve_row_of<32 / LANES, STEP>(conv, outputs);
  }
  convolve_row_of<ROW_PANEL / LANES, STEP>(conv, outputs);
}

void convolve_row(const meanface::RowConvolution& conv, float* outputs) {
  switch (conv.step * conv.pixel) {
    case 2 * 3: return convolve_row_by<2 * 3>(conv, outputs);
    case 2 * 16: return convolve_row_by<2 * 16>(conv, outputs);
    case 48: return convolve_row_by<48>(conv, outputs);
    case 2 * 32: return convolve_row_by<2 * 32>(conv, outputs);
  }
}

template <std::size_t COUNT>
inline void score_outputs(const meanface::RowConvolution& conv, std::size_t x, float* scores) {
  constexpr std::size_t REGISTERS = meanface::SCORE_SUMS / LANES;
  Vector sum[COUNT][REGISTERS];
  UNROLL for (std::size_t i = 0; i < COUNT; ++i) {
    UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) sum[i][v] = splat(0);
  }
  const float* filters = conv.filters;
  for (std::size_t row = 0; row < conv.side; ++row) {
    const float* tap = conv.rows[row] + x * conv.pixel;
    for (std::size_t c = 0; c < conv.side * conv.pixel; c += meanface::SCORE_SUMS, filters += meanface::SCORE_SUMS) {
      UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) {
        const Vector filter = load(filters + v * LANES);
        UNROLL for (std::size_t i = 0; i < COUNT; ++i)
          sum[i][v] = multiply_add(load(tap + i * conv.pixel + c + v * LANES), filter, sum[i][v]);
      }
    }
  }
  for (std::size_t i = 0; i < COUNT; ++i) {
    float sums[meanface::SCORE_SUMS];
    UNROLL for (std::size_t v = 0; v < REGISTERS; ++v) store(sums + v * LANES, sum[i][v]);
    float score = conv.biases[0];
    for (const float part : sums) score += part;
    scores[x + i] = score;
  }
}

void score_row(const meanface::RowConvolution& conv, float* scores) {
  constexpr std::size_t COUNT = ROW_SUMS / 3 * LANES / meanface::SCORE_SUMS;
  std::size_t x = 0;
  for (; x + COUNT <= conv.columns; x += COUNT) score_outputs<COUNT>(conv, x, scores);
  for (; x < conv.columns; ++x) score_outputs<1>(conv, x, scores);
}

}  // namespace
