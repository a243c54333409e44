#include "network.hpp"

#include <algorithm>

#include "packing.hpp"

namespace meanface {
namespace {

// Chips that are computed together: the larger the images, the fewer fit into the cache.
constexpr std::size_t GROUP = 16, SMALL_GROUP = 4;

constexpr std::size_t FEATURES = 256;

Buffer<float> packed_matrix(const NetworkKernels& kernels, const float* matrix) {
  return packed(EMBEDDING, 1, FEATURES, kernels.panel,
                [matrix](std::size_t k, std::size_t, std::size_t c) { return matrix[c * EMBEDDING + k]; });
}

}  // namespace

Network::Network(const NetworkKernels& kernels, const float* parameters, std::size_t count)
    : Network(kernels, Parameters(parameters, count)) {}

Network::Network(const NetworkKernels& kernels, Parameters parameters)
    : kernels_(kernels),
      scratch_(kernels),
      first_(kernels, parameters.convolution()),
      blocks_(kernels, parameters, 3, 1, 35, 32),
      half_(kernels, parameters, 3, SMALL_GROUP, 35, 64),
      quarter_(kernels, parameters, 2, GROUP, 17, 128),
      eighth_(kernels, parameters, 2, GROUP, 8, 256),
      last_(kernels, parameters.convolution(), DirectLayer::Kind::STRIDE_2),
      last_centre_(kernels, parameters.convolution(), DirectLayer::Kind::CENTRE),
      matrix_(packed_matrix(kernels, parameters.matrix())),
      at_35_(SMALL_GROUP, 35, 32),
      at_17_(GROUP, 17, 64),
      at_8_(GROUP, 8, 128),
      at_4_(GROUP, 4, 256),
      at_2_(GROUP, 2, FEATURES),
      at_1_(GROUP, 1, FEATURES),
      means_(GROUP * FEATURES) {
  parameters.finish();
}

void Network::embed(const std::uint8_t* chips, std::size_t count, float* embeddings) {
  for (std::size_t first = 0; first < count; first += GROUP)
    embed_group(chips + first * CHIP_BYTES, std::min(GROUP, count - first), embeddings + first * EMBEDDING);
}

void Network::embed_group(const std::uint8_t* chips, std::size_t count, float* embeddings) {
  const Images at_35 = at_35_.images(), at_17 = at_17_.images(), at_8 = at_8_.images(), at_4 = at_4_.images();
  const Images at_2 = at_2_.images(), at_1 = at_1_.images();
  for (std::size_t first = 0; first < count; first += SMALL_GROUP) {
    const std::size_t small = std::min(SMALL_GROUP, count - first);
    for (std::size_t chip = 0; chip < small; ++chip) {
      first_.run(chips + (first + chip) * CHIP_BYTES, at_35.from(chip), scratch_);
      blocks_.run(at_35.from(chip), 1, scratch_);
    }
    half_.run(at_35, at_17.from(first), small, scratch_);
  }
  quarter_.run(at_17, at_8, count, scratch_);
  eighth_.run(at_8, at_4, count, scratch_);
  average(kernels_, at_4, at_2, count);
  last_.run(at_4, at_1, count, false, scratch_);
  last_centre_.run(at_1, at_2, count, true, scratch_);

  float* const means = means_.data();
  for (std::size_t chip = 0; chip < count; ++chip) {
    const float* rows[2] = {at_2.at(chip, 0, 0), at_2.at(chip, 1, 0)};
    kernels_.average(rows, 1, FEATURES, means + chip * FEATURES, FEATURES);
  }
  for (std::size_t k = 0; k < EMBEDDING; k += kernels_.panel) {
    const float* const panel = matrix_.data() + k * FEATURES;
    kernels_.multiply({means, 0, FEATURES, panel, 0, embeddings + k, 0, EMBEDDING, 1, count, FEATURES, false});
  }
}

}  // namespace meanface
