// The windows of one level: features come in row by row, windows that reach a threshold go out.
#pragma once
#include <vector>

#include "buffer.hpp"
#include "kernels.hpp"
#include "model.hpp"
#include "suppression.hpp"

namespace meanface {

// How a photo is looked at.
struct Search {
  double adjust = 0;     // added to every threshold
  double margin = 0;     // a window whose coarse score is lower than its threshold by more than this is passed over
  double tolerance = 0;  // differences of scores that decide nothing
};

// What was found in a photo so far.
struct Found {
  std::vector<Detection> windows;
  // False if a score is so near to its threshold that it could be on the other side, or if a coarse score was much too
  // low.
  bool certain = true;
  std::vector<float>* features = nullptr;  // where the features of all cells are kept, CHANNELS of each; or nowhere
};

class Windows {
 public:
  Windows(int level, int rows, int columns, const Kernels& kernels, const Model& model);

  void start(const Search& search);

  // Where the next row of features goes: `columns` cells.
  float* next_row();
  // The row is there.
  void push(Found& found);
  // No row comes any more.
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
  int held_;                    // rows of features in memory: what a band of windows needs
  std::size_t feature_pitch_, code_pitch_;
  Buffer<float> features_;
  Buffer<std::uint8_t> codes_;
  std::vector<Candidate> candidates_;
  Search search_;
  std::int32_t limit_[FILTERS] = {};
  int pushed_ = 0, scanned_ = 0;
};

}  // namespace meanface
