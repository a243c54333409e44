// The windows of one level: receives features row by row, reports windows that reach a threshold.
#pragma once
#include <vector>

#include "buffer.hpp"
#include "kernels.hpp"
#include "model.hpp"
#include "suppression.hpp"

namespace meanface {

// Parameters of the search.
struct Search {
  double adjust = 0;     // added to every threshold
  double margin = 0;     // skips windows whose coarse score is below the threshold by more than this
  double tolerance = 0;  // uncertainty of a score
};

// Results for a photo so far.
struct Found {
  std::vector<Detection> windows;
  // False if a score is within the tolerance of its threshold, or if a coarse score was much too low.
  bool certain = true;
  std::vector<float>* features = nullptr;  // collects the features of all cells, CHANNELS of each, if set
};

class Windows {
 public:
  Windows(int level, int rows, int columns, const Kernels& kernels, const Model& model);

  void start(const Search& search);

  // Destination of the next row of features: `columns` cells.
  float* next_row();
  // The row is complete.
  void push(Found& found);
  // There are no more rows.
  void finish(Found& found);

 private:
  float* features(int row) { return features_.data() + slot(row) * feature_pitch_; }
  std::uint8_t* codes(int row) { return codes_.data() + slot(row) * CODE_GROUPS * code_pitch_; }
  std::size_t slot(int row) const { return static_cast<std::size_t>(row % held_); }
  void push_zeros();
  void scan(Found& found);
  void consider(const Candidate& candidate, Found& found);

  const Kernels& kernels_;
  const Model& model_;
  int level_, rows_, columns_;  // windows
  int held_;                    // rows of features in memory, as many as a band of windows needs
  std::size_t feature_pitch_, code_pitch_;
  Buffer<float> features_;
  Buffer<std::uint8_t> codes_;
  std::vector<Candidate> candidates_;
  Search search_;
  std::int32_t limit_[FILTERS] = {};
  int pushed_ = 0, scanned_ = 0;
};

}  // namespace meanface
