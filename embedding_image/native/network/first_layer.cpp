#include "first_layer.hpp"

#include <cmath>

#include "packing.hpp"

namespace meanface {
namespace {

constexpr int MEAN[COLOURS] = {123, 117, 104};
constexpr float DLIBS_MEAN[COLOURS] = {122.782F, 117.001F, 104.298F};
constexpr double DIVISOR = 256;

constexpr std::size_t SIDE = 7, TAPS = SIDE * SIDE, OUTPUTS = 32;  // of dlib's filters
constexpr std::size_t PHASE = CHIP / 2, CHANNELS = 4 * COLOURS;    // of a chip that is cut into phases
constexpr std::size_t PIXEL = 16;                                  // floats of its pixels, with zeros at the end
constexpr std::size_t PHASE_SIDE = 4;                              // of the filters for it
constexpr std::size_t OUTPUT = 3;                                  // rows and columns of a tile's output
constexpr std::size_t TILES = (PHASE - PHASE_SIDE + 1) / OUTPUT;   // a row of tiles, and rows
constexpr std::size_t ROW = TILES * OUTPUT * OUTPUTS;              // floats of a row of outputs
constexpr std::size_t ROWS = 3 * OUTPUT;                           // that are kept

// The polynomial with four coefficients at the points of kernels/points.hpp.
void at_points(const double in[PHASE_SIDE], double out[TILE]) {
  constexpr double POINT[TILE - 1] = {0, POINT_A, -POINT_A, POINT_B, -POINT_B};
  for (std::size_t i = 0; i < TILE - 1; ++i)
    out[i] = std::fma(std::fma(std::fma(in[3], POINT[i], in[2]), POINT[i], in[1]), POINT[i], in[0]);
  out[TILE - 1] = in[3];
}

// A filter's value at a pixel of a phase; the 4 x 4 x 4 phases have some places more than the 7 x 7 filter.
double tap(const float* filter, std::size_t channel, std::size_t row, std::size_t column) {
  const std::size_t y = 2 * row + channel / (2 * COLOURS), x = 2 * column + channel / COLOURS % 2;
  return y < SIDE && x < SIDE ? filter[channel % COLOURS * TAPS + y * SIDE + x] / DIVISOR : 0;
}

// [point][output][channel]
Buffer<float> transformed(const RawFilters& raw) {
  Buffer<float> values(TILE_POINTS * OUTPUTS * CHANNELS);
  for (std::size_t k = 0; k < OUTPUTS; ++k) {
    const float* filter = raw.filters + k * COLOURS * TAPS;
    for (std::size_t c = 0; c < CHANNELS; ++c) {
      double half[TILE][PHASE_SIDE];
      for (std::size_t column = 0; column < PHASE_SIDE; ++column) {
        double in[PHASE_SIDE], out[TILE];
        for (std::size_t row = 0; row < PHASE_SIDE; ++row) in[row] = tap(filter, c, row, column);
        at_points(in, out);
        for (std::size_t row = 0; row < TILE; ++row) half[row][column] = out[row];
      }
      for (std::size_t row = 0; row < TILE; ++row) {
        double out[TILE];
        at_points(half[row], out);
        for (std::size_t column = 0; column < TILE; ++column)
          values[((row * TILE + column) * OUTPUTS + k) * CHANNELS + c] = static_cast<float>(out[column]);
      }
    }
  }
  return values;
}

}  // namespace

FirstLayer::FirstLayer(const NetworkKernels& kernels, const RawFilters& raw)
    : kernels_(kernels), biases_(OUTPUTS), phases_(PHASE * PHASE * PIXEL), rows_(ROWS * ROW) {
  const Buffer<float> values = transformed(raw);
  filters_ = packed(TILE_POINTS * OUTPUTS, 1, CHANNELS, kernels.panel,
                    [&values](std::size_t k, std::size_t, std::size_t c) { return values[k * CHANNELS + c]; });
  for (std::size_t k = 0; k < OUTPUTS; ++k) {
    double bias = raw.biases[k];
    for (std::size_t c = 0; c < COLOURS; ++c) {
      const double rest = MEAN[c] - static_cast<double>(DLIBS_MEAN[c]);
      for (std::size_t i = 0; i < TAPS; ++i) bias = std::fma(raw.filter(k, c, i) / DIVISOR, rest, bias);
    }
    biases_[k] = static_cast<float>(bias);
  }
}

void FirstLayer::cut(const std::uint8_t* chip) {
  for (std::size_t y = 0; y < CHIP; ++y) {
    for (std::size_t x = 0; x < PHASE; ++x, chip += 2 * COLOURS) {
      float* pixel = phases_.data() + (y / 2 * PHASE + x) * PIXEL + y % 2 * 2 * COLOURS;
      for (std::size_t c = 0; c < 2 * COLOURS; ++c) pixel[c] = static_cast<float>(chip[c] - MEAN[c % COLOURS]);
    }
  }
}

void FirstLayer::run(const std::uint8_t* chip, const Images& out, Scratch& scratch) {
  constexpr std::size_t POINT = TILES * OUTPUTS + 16;
  cut(chip);
  const auto row = [this](std::size_t y) { return rows_.data() + y % ROWS * ROW; };
  std::size_t y = 0;  // the next row of maxima
  for (std::size_t tile_row = 0; tile_row < TILES; ++tile_row) {
    const std::size_t top = tile_row * OUTPUT;
    scratch.inputs.clear();
    for (std::size_t tile = 0; tile < TILES; ++tile)
      scratch.inputs.push_back(phases_.data() + (top * PHASE + tile * OUTPUT) * PIXEL);
    float* const sums = scratch.points.data();
    kernels_.transform_tiles(scratch.inputs.data(), TILES, PHASE * PIXEL, PIXEL, sums + POINT, POINT);
    for (std::size_t i = 0; i < TILE_POINTS; ++i) {
      for (std::size_t k = 0; k < OUTPUTS; k += kernels_.panel) {
        kernels_.multiply({sums + (i + 1) * POINT, 0, PIXEL, filters_.data() + (i * OUTPUTS + k) * CHANNELS, 0,
                           sums + i * POINT + k, 0, OUTPUTS, 1, TILES, CHANNELS, false});
      }
    }
    float* const rows[3] = {row(top), row(top + 1), row(top + 2)};
    kernels_.finish_first({sums, POINT, TILES, OUTPUTS, nullptr, 0, false}, rows);
    for (; y < out.size && 2 * y + 2 < top + OUTPUT; ++y) {
      const float* const three[3] = {row(2 * y), row(2 * y + 1), row(2 * y + 2)};
      kernels_.maximum(three, out.size, OUTPUTS, biases_.data(), out.at(0, y, 0));
    }
  }
}

}  // namespace meanface
