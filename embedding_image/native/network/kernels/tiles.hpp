// The transforms in two dimensions: of filters, of tiles of pixels, and of sums of products.
#pragma once
#include "../kernels.hpp"
#include "panel.hpp"
#include "points.hpp"

namespace {

using meanface::FILTER, meanface::FILTER_SIDE, meanface::OUTPUT_TILE;

void transform_filters(const float* filters, std::size_t channels, float* transformed, std::size_t point) {
  for (std::size_t c = 0; c < channels; ++c, filters += FILTER * PANEL, transformed += PANEL) {
    fetch_ahead<FILTER * PANEL>(filters);
    for (std::size_t k = 0; k < PANEL; k += LANES) {
      Vector half[TILE][FILTER_SIDE];
      UNROLL for (std::size_t column = 0; column < FILTER_SIDE; ++column) {
        Vector in[FILTER_SIDE], out[TILE];
        UNROLL for (std::size_t row = 0; row < FILTER_SIDE; ++row)
          in[row] = load(filters + (row * FILTER_SIDE + column) * PANEL + k);
        transform_filter(in, out);
        UNROLL for (std::size_t row = 0; row < TILE; ++row) half[row][column] = out[row];
      }
      UNROLL for (std::size_t row = 0; row < TILE; ++row) {
        Vector out[TILE];
        transform_filter(half[row], out);
        UNROLL for (std::size_t column = 0; column < TILE; ++column)
          store(transformed + (row * TILE + column) * point + k, out[column]);
      }
    }
  }
}

void transform_tiles(const float* const* corners, std::size_t tiles, std::size_t row_stride, std::size_t channels,
                     float* transformed, std::size_t point) {
  for (std::size_t tile = 0; tile < tiles; ++tile, transformed += channels) {
    for (std::size_t c = 0; c < channels; c += LANES) {
      const float* pixels = corners[tile] + c;
      Vector half[TILE][TILE];
      UNROLL for (std::size_t column = 0; column < TILE; ++column) {
        Vector in[TILE], out[TILE];
        const float* const top = pixels + column * channels;
        UNROLL for (std::size_t row = 0; row < TILE; ++row) in[row] = load(top + row * row_stride);
        transform_input(in, out);
        UNROLL for (std::size_t row = 0; row < TILE; ++row) half[row][column] = out[row];
      }
      UNROLL for (std::size_t row = 0; row < TILE; ++row) {
        Vector out[TILE];
        transform_input(half[row], out);
        UNROLL for (std::size_t column = 0; column < TILE; ++column)
          store(transformed + (row * TILE + column) * point + c, out[column]);
      }
    }
  }
}

// The first half of the output's transform: by columns of points.
template <std::size_t OUTPUTS>
inline void transform_columns(const float* sums, std::size_t point, Vector half[OUTPUTS][TILE]) {
  UNROLL for (std::size_t column = 0; column < TILE; ++column) {
    Vector in[TILE], out[OUTPUTS];
    UNROLL for (std::size_t row = 0; row < TILE; ++row) in[row] = load(sums + (row * TILE + column) * point);
    transform_output<OUTPUTS>(in, out);
    UNROLL for (std::size_t row = 0; row < OUTPUTS; ++row) half[row][column] = out[row];
  }
}

void finish_tiles(const meanface::TileSums& s, const meanface::TileOutput* outputs) {
  for (std::size_t tile = 0; tile < s.tiles; ++tile) {
    const meanface::TileOutput output = outputs[tile];
    for (std::size_t k = 0; k < s.channels; k += LANES) {
      const Vector bias = load(s.biases + k);
      Vector half[OUTPUT_TILE][TILE];
      transform_columns<OUTPUT_TILE>(s.sums + tile * s.channels + k, s.point, half);
      UNROLL for (std::size_t row = 0; row < OUTPUT_TILE; ++row) {
        Vector out[OUTPUT_TILE];
        transform_output<OUTPUT_TILE>(half[row], out);
        float* pixel = output.pixels + row * s.row + k;
        UNROLL for (std::size_t column = 0; column < OUTPUT_TILE; ++column, pixel += s.channels) {
          if (row >= output.rows || column >= output.columns) continue;
          Vector value = add(out[column], bias);
          if (s.shortcut) value = add(value, load(pixel));
          store(pixel, relu(value));
        }
      }
    }
  }
}

void finish_first(const meanface::TileSums& s, float* const rows[3]) {
  for (std::size_t tile = 0; tile < s.tiles; ++tile) {
    for (std::size_t k = 0; k < s.channels; k += LANES) {
      Vector half[3][TILE];
      transform_columns<3>(s.sums + tile * s.channels + k, s.point, half);
      UNROLL for (std::size_t row = 0; row < 3; ++row) {
        Vector out[3];
        transform_output<3>(half[row], out);
        UNROLL for (std::size_t column = 0; column < 3; ++column)
          store(rows[row] + (tile * 3 + column) * s.channels + k, out[column]);
      }
    }
  }
}

}  // namespace
