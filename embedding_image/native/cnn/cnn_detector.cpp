#include "cnn_detector.hpp"

#include <memory>
#include <stdexcept>
#include <string>

#include "tiled_photo.hpp"

namespace meanface {
namespace {

std::size_t parameter_count() {
  std::size_t count = 0;
  for (const CnnLayer& layer : CNN_LAYERS_OF) count += layer.parameters();
  return count;
}

void check(Size photo, int doublings) {
  if (photo.rows > LARGEST || photo.columns > LARGEST)
    throw std::invalid_argument("the photo has a side of more than " + std::to_string(LARGEST) + " pixels");
  if (doublings < 0 || doublings > MOST_DOUBLINGS)
    throw std::invalid_argument("doublings: " + std::to_string(doublings) + ", expected 0 to " +
                                std::to_string(MOST_DOUBLINGS));
}

}  // namespace

CnnDetector::CnnDetector(const Kernels& kernels, const NetworkKernels& network, const CnnWeights& weights)
    : kernels_(kernels),
      network_(network),
      mean_{weights.mean[0], weights.mean[1], weights.mean[2]},
      overlap_(weights.overlap) {
  if (weights.count != parameter_count())
    throw std::invalid_argument("the CNN detector has " + std::to_string(weights.count) + " parameters, expected " +
                                std::to_string(parameter_count()));
  const float* next = weights.parameters;
  filters_.reserve(CNN_LAYERS);
  for (const CnnLayer& layer : CNN_LAYERS_OF) {
    filters_.emplace_back(network, layer, next);
    next += layer.parameters();
  }
}

Scores CnnDetector::scores(const std::uint8_t* rgb, Size photo, int doublings) const {
  check(photo, doublings);
  if (photo.rows < 1 || photo.columns < 1) return {0, 0, {}};
  const Size size = doubled(photo, doublings);
  if (size.rows < CNN_LEAST_ROWS || size.columns < CNN_LEAST_COLUMNS) return {0, 0, {}};

  TiledPhoto tiled(Tiling(size), kernels_, rgb, photo, doublings, mean_);
  RowSource* last = &tiled;
  std::vector<std::unique_ptr<RowLayer>> layers;
  for (std::size_t i = 0; i + 1 < CNN_LAYERS; ++i) {
    layers.push_back(std::make_unique<RowLayer>(network_, filters_[i], *last, CNN_LAYERS_OF[i + 1]));
    last = layers.back().get();
  }
  const ImageShape shape = filters_.back().output_shape(last->shape());
  RowConvolution convolution = filters_.back().convolution(last->shape(), shape);
  TapRows taps(*last, CNN_LAYERS_OF[CNN_LAYERS - 1]);
  Scores scores{shape.rows, shape.columns, std::vector<float>(shape.rows * shape.columns)};
  for (std::size_t y = 0; y < shape.rows; ++y) {
    convolution.rows = taps.at(y);
    network_.score_row(convolution, scores.values.data() + y * shape.columns);
  }
  return scores;
}

std::vector<Detection> CnnDetector::find(const std::uint8_t* rgb, Size photo, int doublings) const {
  const Scores found = scores(rgb, photo, doublings);
  std::vector<Detection> windows;
  if (found.values.empty()) return windows;
  const Tiling tiling(doubled(photo, doublings));
  const float* score = found.values.data();
  for (std::size_t y = 0; y < found.rows; ++y) {
    for (std::size_t x = 0; x < found.columns; ++x, ++score) {
      if (!(*score > 0)) continue;
      const auto at = [](std::size_t output) { return static_cast<long>(output) * CNN_STRIDE + CNN_CENTRE; };
      windows.push_back({*score, 0, 0, tiling.box(at(x), at(y))});
    }
  }
  std::vector<Detection> kept = suppress(std::move(windows), overlap_, 0).kept;
  for (Detection& face : kept) face.box = reduced(face.box, doublings);
  return kept;
}

}  // namespace meanface
