// dlib's face recognition network: from chips to embeddings.
//
// A convolution of 7 x 7 and a pool, 14 residual blocks of two convolutions of 3 x 3, a mean over all
// pixels, and a matrix. An embedding has the same bits on every CPU, whatever chips are beside it.
#pragma once
#include <cstdint>

#include "blocks.hpp"
#include "first_layer.hpp"

namespace meanface {

// Owns its buffers; for one thread at a time.
class Network {
 public:
  // Parameters as `Parameters` reads them; invalid_argument for another number of them.
  Network(const NetworkKernels& kernels, const float* parameters, std::size_t count);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Chips are RGB bytes, row by row; each gets EMBEDDING floats.
  void embed(const std::uint8_t* chips, std::size_t count, float* embeddings);

  const char* name() const { return kernels_.name; }

 private:
  Network(const NetworkKernels& kernels, Parameters parameters);
  void embed_group(const std::uint8_t* chips, std::size_t count, float* embeddings);

  const NetworkKernels& kernels_;
  Scratch scratch_;
  FirstLayer first_;
  Blocks blocks_;  // at 35 x 35 pixels
  Stage half_, quarter_, eighth_;
  DirectLayer last_, last_centre_;
  Buffer<float> matrix_;
  Activations at_35_, at_17_, at_8_, at_4_, at_2_, at_1_;  // outputs of the layers, by size
  Buffer<float> means_;
};

}  // namespace meanface
