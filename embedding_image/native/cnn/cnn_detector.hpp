// dlib's CNN face detector: a pyramid of the photo in one image, seven convolutions over it, and suppression.
//
// The layers advance together: a row of scores needs few rows of each layer, so these are all that is in
// memory, beside the tiled photo. Scores have the same bits on every CPU.
#pragma once
#include <cstdint>
#include <vector>

#include "../geometry.hpp"
#include "../kernels.hpp"
#include "../network/kernels.hpp"
#include "../pyramid.hpp"
#include "../suppression.hpp"
#include "parameters.hpp"
#include "row_layer.hpp"

namespace meanface {

struct Scores {
  std::size_t rows, columns;
  std::vector<float> values;
};

// For any number of threads.
class CnnDetector {
 public:
  // invalid_argument for another number of parameters.
  CnnDetector(const Kernels& kernels, const NetworkKernels& network, const CnnWeights& weights);
  CnnDetector(const CnnDetector&) = delete;
  CnnDetector& operator=(const CnnDetector&) = delete;

  // Boxes are in the photo. Photos that are too small for a window have none; invalid_argument for a photo
  // with a side of more than LARGEST pixels, and for more than MOST_DOUBLINGS.
  std::vector<Detection> find(const std::uint8_t* rgb, Size photo, int doublings) const;

  // The network's outputs.
  Scores scores(const std::uint8_t* rgb, Size photo, int doublings) const;

  const char* name() const { return network_.name; }

 private:
  const Kernels& kernels_;
  const NetworkKernels& network_;
  std::vector<RowFilters> filters_;
  float mean_[3];
  Overlap overlap_;
};

}  // namespace meanface
