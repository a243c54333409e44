#include "row_layer.hpp"

#include <algorithm>

#include "../network/packing.hpp"

namespace meanface {
namespace {

constexpr std::size_t CHANNELS_MULTIPLE = 16;

std::size_t output_size(std::size_t input, const CnnLayer& layer) {
  return (input + 2 * layer.padding - layer.side) / layer.stride + 1;
}

// Filters of one output are read along the row; of more, by panels of outputs.
Buffer<float> packed_filters(const NetworkKernels& kernels, const CnnLayer& layer, std::size_t channels,
                             const float* filters) {
  const std::size_t taps = layer.side * layer.side;
  const auto at = [&](std::size_t output, std::size_t tap, std::size_t input) {
    const bool there = output < layer.outputs && input < layer.inputs;
    return there ? filters[(output * taps + tap) * layer.inputs + input] : 0.0F;
  };
  if (layer.outputs == 1) return packed(1, taps, round_up(layer.inputs, CHANNELS_MULTIPLE), 1, at);
  return packed(channels, taps, layer.inputs, std::min(channels, kernels.row_panel), at);
}

}  // namespace

RowFilters::RowFilters(const NetworkKernels& kernels, const CnnLayer& layer, const float* parameters)
    : layer_(layer),
      channels_(layer.outputs == 1 ? 1 : round_up(layer.outputs, CHANNELS_MULTIPLE)),
      filters_(packed_filters(kernels, layer, channels_, parameters)),
      biases_(channels_) {
  const float* const biases = parameters + layer.parameters() - layer.outputs;
  for (std::size_t k = 0; k < layer.outputs; ++k) biases_[k] = biases[k];
}

ImageShape RowFilters::output_shape(const ImageShape& in) const {
  return {output_size(in.rows, layer_), output_size(in.columns, layer_), layer_.outputs, channels_};
}

RowConvolution RowFilters::convolution(const ImageShape& in, const ImageShape& out) const {
  return {nullptr,      layer_.side,    layer_.inputs, in.pixel,   layer_.stride,
          filters_.data(), biases_.data(), out.pixel,     out.columns};
}

TapRows::TapRows(RowSource& in, const CnnLayer& layer)
    : in_(in), layer_(layer), zeros_((in.shape().columns + 2 * layer.padding) * in.shape().pixel) {}

const float* const* TapRows::at(std::size_t output_row) {
  const std::size_t border = layer_.padding * in_.shape().pixel;
  for (std::size_t i = 0; i < layer_.side; ++i) {
    const std::size_t y = output_row * layer_.stride + i;  // in the image with its padding
    const bool inside = y >= layer_.padding && y - layer_.padding < in_.shape().rows;
    rows_[i] = inside ? in_.row(y - layer_.padding) - border : zeros_.data();
  }
  return rows_;
}

RowLayer::RowLayer(const NetworkKernels& kernels, const RowFilters& filters, RowSource& in, const CnnLayer& reader)
    : RowSource(filters.output_shape(in.shape())),
      kernels_(kernels),
      convolution_(filters.convolution(in.shape(), shape())),
      taps_(in, filters.layer()),
      held_(reader.side),
      border_(reader.padding * shape().pixel),
      pitch_(shape().columns * shape().pixel + 2 * border_),
      values_(held_ * pitch_) {}

const float* RowLayer::row(std::size_t y) {
  for (; done_ <= y; ++done_) {
    convolution_.rows = taps_.at(done_);
    kernels_.convolve_row(convolution_, at(done_));
  }
  return at(y);
}

}  // namespace meanface
