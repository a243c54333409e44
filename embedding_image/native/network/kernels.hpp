// The network's vectorised functions, as a table that is compiled once for each instruction set.
//
// The restrictions of ../kernels.hpp hold for network/kernels/kernels.cpp, too.
//
// All tables give the same bits. Lanes are channels and never meet; a sum is one chain of fused
// multiply-adds over the input channels in order, however wide a register is, however many tiles or
// chips are computed together.
#pragma once
#include <cstddef>
#include <cstdint>

namespace meanface {

constexpr std::size_t TILE = 6;                   // rows and columns of a tile of input pixels
constexpr std::size_t TILE_POINTS = TILE * TILE;  // of the transform: products of a tile, for each pair of channels
constexpr std::size_t OUTPUT_TILE = 4;            // rows and columns of its output, for filters of 3 x 3
constexpr std::size_t FILTER_SIDE = 3, FILTER = FILTER_SIDE * FILTER_SIDE;

// Winograd's points are 0, these two with both signs, and infinity; see kernels/points.hpp.
constexpr double POINT_A = 5.0 / 8, POINT_B = 3.0 / 2;

// For each of `points`: rows of `length` inputs, times filters of length x panel.
struct Products {
  const float* inputs;
  std::size_t input_point, input_row;  // floats from one point, and one row, to the next
  const float* filters;
  std::size_t filter_point;
  float* sums;
  std::size_t sum_point, sum_row;
  std::size_t points, rows, length;
  bool more;  // sums go on from what is there, not from zero
};

// Where the output of a tile goes, and how much of it lies within the layer's output.
struct TileOutput {
  float* pixels;
  std::size_t rows, columns;
};

// The end of a layer of tiles: from sums to outputs, with bias, shortcut and ReLU.
struct TileSums {
  const float* sums;
  std::size_t point, tiles, channels;  // `point` as in Products; a tile's sums are together
  const float* biases;
  std::size_t row;  // floats from one row of output pixels to the next
  bool shortcut;    // add the outputs to what is there
};

// A convolution without a transform, with bias and ReLU.
struct Convolution {
  std::size_t runs, length, run_stride;  // an output's inputs: `runs` stretches of `length` floats
  const float* filters;                  // [output channel / panel][run][input][panel]
  const float* biases;
  std::size_t channels;
  bool shortcut;  // add the outputs to what is there
};

// A row of outputs of a convolution over rows of pixels, as the CNN detector has them.
struct RowConvolution {
  const float* const* rows;      // the inputs of each row of taps, from the first output's first tap on
  std::size_t side;              // rows and columns of taps
  std::size_t inputs, pixel;     // channels of an input pixel, and floats from one to the next
  std::size_t step;              // pixels from one output's first tap to the next output's
  const float* filters;          // [output channel / panel][row][column][input][panel]
  const float* biases;
  std::size_t channels, columns;  // of the outputs
};

// The largest number of rows of taps.
constexpr std::size_t MOST_TAP_ROWS = 9;

// A score is a sum of so many sums, which take turns with the input channels.
constexpr std::size_t SCORE_SUMS = 16;

struct NetworkKernels {
  const char* name;
  std::size_t panel;      // output channels that lie together in filters
  std::size_t row_panel;  // the same in filters of `convolve_row`; at most: all of fewer channels lie together

  // tiles.hpp
  // Filters of 3 x 3 for one panel: [channel][9][panel] to [point][channel][panel].
  void (*transform_filters)(const float* filters, std::size_t channels, float* transformed, std::size_t point);
  // Pixels from the corners on, with rows `row` floats apart, to [point][tile][channel].
  void (*transform_tiles)(const float* const* corners, std::size_t tiles, std::size_t row, std::size_t channels,
                          float* transformed, std::size_t point);
  void (*finish_tiles)(const TileSums&, const TileOutput* outputs);
  // A row of tiles of the first layer: 3 x 3 outputs of each, without bias.
  void (*finish_first)(const TileSums&, float* const rows[3]);

  // products.hpp
  void (*multiply)(const Products&);
  // few_tiles.hpp: the same, for all points of the transform and filters of [channel][9][panel]
  void (*multiply_few)(const Products&);
  void (*convolve)(const Convolution&, const float* const* inputs, float* const* outputs, std::size_t pixels);

  // rows.hpp
  // With bias and ReLU. Outputs of 16, 32 or 48 channels, for the layers of the CNN detector only.
  void (*convolve_row)(const RowConvolution&, float* outputs);
  // One output channel, with bias; filters [row][column][input], and inputs a multiple of SCORE_SUMS.
  void (*score_row)(const RowConvolution&, float* scores);

  // pools.hpp
  // A row of maxima of 3 x 3 pixels, two pixels apart; then bias and ReLU.
  void (*maximum)(const float* const rows[3], std::size_t columns, std::size_t channels, const float* biases,
                  float* output);
  // A row of means of 2 x 2 pixels, with zeros for output channels that the input lacks.
  void (*average)(const float* const rows[2], std::size_t columns, std::size_t channels, float* output,
                  std::size_t output_channels);
};

extern const NetworkKernels AVX2_NETWORK;
extern const NetworkKernels AVX512_NETWORK;
extern const NetworkKernels NEON_NETWORK;
extern const NetworkKernels NARROW_NETWORK;  // for tests: x86-64 with AVX2, in registers of four floats

}  // namespace meanface
