#include "blocks.hpp"

namespace meanface {

Blocks::Blocks(const NetworkKernels& kernels, Parameters& parameters, std::size_t count, std::size_t chips,
               std::size_t size, std::size_t channels)
    : inner_(chips, size, channels) {
  layers_.reserve(2 * count);
  for (std::size_t i = 0; i < 2 * count; ++i) layers_.emplace_back(kernels, parameters.convolution());
}

void Blocks::run(const Images& images, std::size_t chips, Scratch& scratch) {
  const Images inner = inner_.images();
  for (std::size_t i = 0; i < layers_.size(); i += 2) {
    layers_[i].run(images, inner, chips, false, scratch);
    layers_[i + 1].run(inner, images, chips, true, scratch);
  }
}

Stage::Stage(const NetworkKernels& kernels, Parameters& parameters, std::size_t blocks, std::size_t chips,
             std::size_t in_size, std::size_t channels)
    : kernels_(kernels),
      down_(kernels, parameters.convolution(), DirectLayer::Kind::STRIDE_2),
      after_(kernels, parameters.convolution()),
      reduced_(chips, DirectLayer::output_size(in_size), channels),
      blocks_(kernels, parameters, blocks, chips, in_size / 2, channels) {}

void Stage::run(const Images& in, const Images& out, std::size_t chips, Scratch& scratch) {
  average(kernels_, in, out, chips);  // the shortcut
  down_.run(in, reduced_.images(), chips, false, scratch);
  after_.run(reduced_.images(), out, chips, true, scratch);
  blocks_.run(out, chips, scratch);
}

}  // namespace meanface
