// Residual blocks of two convolutions of 3 x 3, and stages: blocks over images of one size.
#pragma once
#include <vector>

#include "layers.hpp"

namespace meanface {

// Blocks that keep the size of their images.
class Blocks {
 public:
  Blocks(const NetworkKernels& kernels, Parameters& parameters, std::size_t count, std::size_t chips,
         std::size_t size, std::size_t channels);

  // In place.
  void run(const Images& images, std::size_t chips, Scratch& scratch);

 private:
  std::vector<TiledLayer> layers_;
  Activations inner_;  // between the two convolutions of a block
};

// A block that halves the size of images, then `blocks` that keep it.
class Stage {
 public:
  Stage(const NetworkKernels& kernels, Parameters& parameters, std::size_t blocks, std::size_t chips,
        std::size_t in_size, std::size_t channels);

  void run(const Images& in, const Images& out, std::size_t chips, Scratch& scratch);

 private:
  const NetworkKernels& kernels_;
  DirectLayer down_;
  TiledLayer after_;
  Activations reduced_;  // between these two
  Blocks blocks_;
};

}  // namespace meanface
