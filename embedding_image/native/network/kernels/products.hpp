// Products of rows of inputs and panels of filters: nearly all of the network's arithmetic.
#pragma once
#include "../kernels.hpp"
#include "panel.hpp"

namespace {

// A few rows take several points at once: more sums at a time hide the latency of a multiply-add.
template <std::size_t COUNT>
constexpr std::size_t POINTS_AT_ONCE = COUNT == 1 ? 4 : COUNT <= 3 ? 2 : 1;

template <std::size_t COUNT, std::size_t POINTS>
void multiply_rows(const meanface::Products& p, std::size_t first, std::size_t point) {
  const float* inputs = p.inputs + point * p.input_point + first * p.input_row;
  const float* filters = p.filters + point * p.filter_point;
  float* sums = p.sums + point * p.sum_point + first * p.sum_row;
  Vector sum[POINTS][COUNT][VECTORS];
  UNROLL for (std::size_t i = 0; i < POINTS; ++i) {
    UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
      UNROLL for (std::size_t v = 0; v < VECTORS; ++v)
        sum[i][row][v] = p.more ? load(sums + i * p.sum_point + row * p.sum_row + v * LANES) : splat(0);
    }
  }
  for (std::size_t c = 0; c < p.length; ++c, filters += PANEL) {
    fetch_ahead<PANEL>(filters);
    UNROLL for (std::size_t i = 0; i < POINTS; ++i) {
      Vector filter[VECTORS];
      UNROLL for (std::size_t v = 0; v < VECTORS; ++v) filter[v] = load(filters + i * p.filter_point + v * LANES);
      UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
        const Vector input = splat(inputs[i * p.input_point + row * p.input_row + c]);
        UNROLL for (std::size_t v = 0; v < VECTORS; ++v)
          sum[i][row][v] = multiply_add(input, filter[v], sum[i][row][v]);
      }
    }
  }
  UNROLL for (std::size_t i = 0; i < POINTS; ++i) {
    UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
      UNROLL for (std::size_t v = 0; v < VECTORS; ++v)
        store(sums + i * p.sum_point + row * p.sum_row + v * LANES, sum[i][row][v]);
    }
  }
}

// The last rows, fewer than ROWS.
template <std::size_t COUNT>
void multiply_rest(const meanface::Products& p, std::size_t first) {
  if constexpr (COUNT > 0) {
    if (p.rows - first != COUNT) return multiply_rest<COUNT - 1>(p, first);
    constexpr std::size_t POINTS = POINTS_AT_ONCE<COUNT>;
    if (p.points % POINTS == 0) {
      for (std::size_t point = 0; point < p.points; point += POINTS) multiply_rows<COUNT, POINTS>(p, first, point);
    } else {
      for (std::size_t point = 0; point < p.points; ++point) multiply_rows<COUNT, 1>(p, first, point);
    }
  }
}

void multiply(const meanface::Products& p) {
  std::size_t first = 0;
  for (; first + ROWS <= p.rows; first += ROWS) {
    for (std::size_t point = 0; point < p.points; ++point) multiply_rows<ROWS, 1>(p, first, point);
  }
  multiply_rest<ROWS - 1>(p, first);
}

template <std::size_t COUNT>
void convolve_pixels(const meanface::Convolution& conv, const float* const* inputs, float* const* outputs) {
  const float* filters = conv.filters;
  for (std::size_t k = 0; k < conv.channels; k += PANEL) {
    Vector sum[COUNT][VECTORS];
    const float* input[COUNT];
    UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
      input[row] = inputs[row];
      UNROLL for (std::size_t v = 0; v < VECTORS; ++v) sum[row][v] = splat(0);
    }
    for (std::size_t run = 0; run < conv.runs; ++run) {
      for (std::size_t c = 0; c < conv.length; ++c, filters += PANEL) {
        fetch_ahead<PANEL>(filters);
        Vector filter[VECTORS];
        UNROLL for (std::size_t v = 0; v < VECTORS; ++v) filter[v] = load(filters + v * LANES);
        UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
          const Vector value = splat(input[row][c]);
          UNROLL for (std::size_t v = 0; v < VECTORS; ++v) sum[row][v] = multiply_add(value, filter[v], sum[row][v]);
        }
      }
      UNROLL for (std::size_t row = 0; row < COUNT; ++row) input[row] += conv.run_stride;
    }
    UNROLL for (std::size_t row = 0; row < COUNT; ++row) {
      UNROLL for (std::size_t v = 0; v < VECTORS; ++v) {
        float* output = outputs[row] + k + v * LANES;
        Vector value = add(sum[row][v], load(conv.biases + k + v * LANES));
        if (conv.shortcut) value = add(value, load(output));
        store(output, relu(value));
      }
    }
  }
}

template <std::size_t COUNT>
void convolve_rest(const meanface::Convolution& conv, const float* const* inputs, float* const* outputs,
                   std::size_t pixels) {
  if constexpr (COUNT > 0) {
    if (pixels != COUNT) return convolve_rest<COUNT - 1>(conv, inputs, outputs, pixels);
    convolve_pixels<COUNT>(conv, inputs, outputs);
  }
}

void convolve(const meanface::Convolution& conv, const float* const* inputs, float* const* outputs,
              std::size_t pixels) {
  for (; pixels >= ROWS; pixels -= ROWS, inputs += ROWS, outputs += ROWS) convolve_pixels<ROWS>(conv, inputs, outputs);
  convolve_rest<ROWS - 1>(conv, inputs, outputs, pixels);
}

}  // namespace
