// The detector's filters, and their form for the coarse scan.
#pragma once
#include <array>
#include <cstdint>

#include "buffer.hpp"
#include "kernels.hpp"

namespace meanface {

// Plain arrays in C order from Python; meanface/embedder/detector/weights.py explains them.
struct Weights {
  const float* filters;      // FILTERS, CHANNELS, WINDOW, WINDOW
  const double* thresholds;  // FILTERS
  const float* projection;   // CODES, CHANNELS
  const std::int8_t* coarse;  // FILTERS, WINDOW, WINDOW, CODES; see COLUMNS_SUMMED for their size
  const float* units;        // FILTERS: score of one unit of a coarse sum
  Overlap overlap;
};

class Model {
 public:
  explicit Model(const Weights& weights);

  const float* filter(int f) const { return filters_.data() + f * WINDOW * WINDOW * STRIDE; }
  double threshold(int f) const { return thresholds_[static_cast<std::size_t>(f)]; }
  const Coarse& coarse() const { return coarse_[0]; }
  const Overlap& overlap() const { return overlap_; }

  // The coarse sum of a score, rounded down and limited to an int32.
  std::int32_t coarse_limit(int f, double score) const;
  double coarse_score(int f, std::int32_t sum) const;

 private:
  Buffer<float> filters_;  // FILTERS, WINDOW, WINDOW, STRIDE
  std::array<double, FILTERS> thresholds_;
  std::array<double, FILTERS> units_;
  std::array<std::int32_t, FILTERS> zeros_;  // the coarse sum of a window whose features are all zero
  Buffer<Coarse> coarse_;                    // a single element, for its alignment
  Overlap overlap_;
};

}  // namespace meanface
