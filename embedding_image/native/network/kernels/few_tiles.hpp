// Products of a few tiles, as one chip has them in its last layers, with filters of 3 x 3.
//
// The filters are transformed in registers, row of points by row of points: to store all points for so
// few tiles, as transform_filters does, takes longer than the arithmetic.
#pragma once
#include "../kernels.hpp"
#include "panel.hpp"
#include "points.hpp"

namespace {

using meanface::FILTER, meanface::FILTER_SIDE;

constexpr std::size_t TILES_AT_ONCE = ROWS == 12 ? 4 : 2;  // 24 sums in 32 registers, or 12 in 16

template <std::size_t TILES, std::size_t ROW>
inline void multiply_row_of_points(const meanface::Products& p, std::size_t first) {
  constexpr std::size_t PASSES = TILE * VECTORS, SHARE = FILTER * PANEL / PASSES;  // floats to fetch in each pass
  const float* const inputs = p.inputs + ROW * TILE * p.input_point + first * p.input_row;
  float* const sums = p.sums + ROW * TILE * p.sum_point + first * p.sum_row;
  for (std::size_t v = 0; v < VECTORS; ++v) {
    const float* filters = p.filters + v * LANES;
    const float* next = p.filters + (ROW * VECTORS + v) * p.length * SHARE;
    Vector sum[TILE][TILES];
    const auto sum_at = [&](std::size_t i, std::size_t tile) {
      return sums + i * p.sum_point + tile * p.sum_row + v * LANES;
    };
    UNROLL for (std::size_t i = 0; i < TILE; ++i) {
      UNROLL for (std::size_t tile = 0; tile < TILES; ++tile)
        sum[i][tile] = p.more ? load(sum_at(i, tile)) : splat(0);
    }
    for (std::size_t c = 0; c < p.length; ++c, filters += FILTER * PANEL, next += SHARE) {
      fetch_ahead<SHARE>(next);
      Vector half[FILTER_SIDE], filter[TILE];
      UNROLL for (std::size_t column = 0; column < FILTER_SIDE; ++column) {
        Vector in[FILTER_SIDE], out[TILE];
        UNROLL for (std::size_t row = 0; row < FILTER_SIDE; ++row)
          in[row] = load(filters + (row * FILTER_SIDE + column) * PANEL);
        transform_filter(in, out);  // the other rows' are never computed
        half[column] = out[ROW];
      }
      transform_filter(half, filter);
      UNROLL for (std::size_t i = 0; i < TILE; ++i) {
        UNROLL for (std::size_t tile = 0; tile < TILES; ++tile) {
          const Vector input = splat(inputs[i * p.input_point + tile * p.input_row + c]);
          sum[i][tile] = multiply_add(input, filter[i], sum[i][tile]);
        }
      }
    }
    UNROLL for (std::size_t i = 0; i < TILE; ++i) {
      UNROLL for (std::size_t tile = 0; tile < TILES; ++tile) store(sum_at(i, tile), sum[i][tile]);
    }
  }
}

template <std::size_t TILES, std::size_t ROW = 0>
void multiply_tiles(const meanface::Products& p, std::size_t first) {
  multiply_row_of_points<TILES, ROW>(p, first);
  if constexpr (ROW + 1 < TILE) multiply_tiles<TILES, ROW + 1>(p, first);
}

// The last tiles, fewer than TILES_AT_ONCE.
template <std::size_t TILES>
void multiply_last_tiles(const meanface::Products& p, std::size_t first) {
  if constexpr (TILES > 0) {
    if (p.rows - first != TILES) return multiply_last_tiles<TILES - 1>(p, first);
    multiply_tiles<TILES>(p, first);
  }
}

void multiply_few(const meanface::Products& p) {
  std::size_t first = 0;
  for (; first + TILES_AT_ONCE <= p.rows; first += TILES_AT_ONCE) multiply_tiles<TILES_AT_ONCE>(p, first);
  multiply_last_tiles<TILES_AT_ONCE - 1>(p, first);
}

}  // namespace
