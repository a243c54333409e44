// A layer of the CNN detector, computed row by row.
#pragma once
#include <vector>

#include "../buffer.hpp"
#include "../network/kernels.hpp"
#include "parameters.hpp"
#include "row_source.hpp"

namespace meanface {

// Filters and biases, with outputs padded to a multiple of 16.
class RowFilters {
 public:
  // `parameters` are the layer's.
  RowFilters(const NetworkKernels& kernels, const CnnLayer& layer, const float* parameters);

  // The convolution, which still lacks its rows of inputs.
  RowConvolution convolution(const ImageShape& in, const ImageShape& out) const;

  const CnnLayer& layer() const { return layer_; }
  ImageShape output_shape(const ImageShape& in) const;

 private:
  CnnLayer layer_;
  std::size_t channels_;  // of the outputs, with padding
  Buffer<float> filters_, biases_;
};

// The rows of inputs that a row of outputs needs; beyond the image they are zeros.
class TapRows {
 public:
  TapRows(RowSource& in, const CnnLayer& layer);

  const float* const* at(std::size_t output_row);

 private:
  RowSource& in_;
  CnnLayer layer_;
  Buffer<float> zeros_;
  const float* rows_[MOST_TAP_ROWS] = {};
};

class RowLayer : public RowSource {
 public:
  // `reader` is the layer that reads the outputs.
  RowLayer(const NetworkKernels& kernels, const RowFilters& filters, RowSource& in, const CnnLayer& reader);

  const float* row(std::size_t y) override;

 private:
  float* at(std::size_t y) { return values_.data() + y % held_ * pitch_ + border_; }

  const NetworkKernels& kernels_;
  RowConvolution convolution_;
  TapRows taps_;
  std::size_t held_, border_, pitch_, done_ = 0;
  Buffer<float> values_;
};

}  // namespace meanface
