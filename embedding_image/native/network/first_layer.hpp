// The first layer: 7 x 7 filters with stride 2, and the maximum of 3 x 3 pixels after it.
#pragma once
#include "activations.hpp"
#include "layers.hpp"

namespace meanface {

// The chip is cut into its 2 x 2 phases: 75 x 75 pixels of 12 channels. The filters are then 4 x 4 with
// stride 1, and three outputs of 4 taps need the same six points as four outputs of 3 taps.
//
// dlib subtracts a mean colour and divides by 256. Here a whole number is subtracted, which is exact; the
// rest of the mean is in the biases, the division in the filters. Bias and ReLU come after the maximum,
// with the same result.
class FirstLayer {
 public:
  FirstLayer(const NetworkKernels& kernels, const RawFilters& raw);

  // One chip, to an image of 35 x 35 pixels.
  void run(const std::uint8_t* chip, const Images& out, Scratch& scratch);

 private:
  void cut(const std::uint8_t* chip);

  const NetworkKernels& kernels_;
  Buffer<float> filters_, biases_;
  Buffer<float> phases_;
  Buffer<float> rows_;  // the last rows of outputs
};

}  // namespace meanface
