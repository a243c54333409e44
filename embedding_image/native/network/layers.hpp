// The layers after the first.
#pragma once
#include <vector>

#include "activations.hpp"
#include "parameters.hpp"

namespace meanface {

// Working memory that the layers of a network share.
struct Scratch {
  Buffer<float> points;       // of transformed tiles, and their products
  Buffer<float> transformed;  // filters that are kept as 3 x 3
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  std::vector<TileOutput> tiles;

  explicit Scratch(const NetworkKernels& kernels);
};

// A convolution of 3 x 3 with stride 1 and as many outputs as inputs, by Winograd's transform.
//
// Filters for 32 and 64 channels are kept transformed. Larger ones are kept as they are, in a quarter of
// the memory, and transformed when they are used: once for many tiles, or in registers for a few. All give
// the same bits.
class TiledLayer {
 public:
  TiledLayer(const NetworkKernels& kernels, const RawFilters& raw);

  void run(const Images& in, const Images& out, std::size_t chips, bool shortcut, Scratch& scratch) const;

 private:
  void multiply(std::size_t tiles, std::size_t point, Scratch& scratch) const;
  void multiply_transforming(std::size_t tiles, std::size_t point, Scratch& scratch) const;

  const NetworkKernels& kernels_;
  std::size_t channels_;
  bool transforming_;
  Buffer<float> filters_, biases_;
};

// A convolution of 3 x 3 without padding, with stride 2; or of 3 x 3 on an image of one pixel, where only
// the filters' centres count.
class DirectLayer {
 public:
  enum class Kind { STRIDE_2, CENTRE };

  DirectLayer(const NetworkKernels& kernels, const RawFilters& raw, Kind kind);

  // Rows and columns of the output of a layer with stride 2.
  static constexpr std::size_t output_size(std::size_t input_size) { return (input_size - 3) / 2 + 1; }

  void run(const Images& in, const Images& out, std::size_t chips, bool shortcut, Scratch& scratch) const;

 private:
  const NetworkKernels& kernels_;
  std::size_t inputs_, outputs_, side_;  // side: rows and columns of filters
  Buffer<float> filters_, biases_;
};

// Means of 2 x 2 pixels; channels that the input lacks are zero.
void average(const NetworkKernels& kernels, const Images& in, const Images& out, std::size_t chips);

}  // namespace meanface
