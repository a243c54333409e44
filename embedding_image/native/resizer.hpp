// Resizes an image to the next level, a few rows at a time.
#pragma once
#include <array>
#include <vector>

#include "kernels.hpp"
#include "pyramid.hpp"
#include "rows.hpp"

namespace meanface {

class Resizer {
 public:
  Resizer(Size from, Size to, const Kernels& kernels);

  void start() { next_ = 0, spread_rows_ = {-1, -1}; }

  // How many of the next output rows need only the first `taken` rows of the input.
  int ready(int taken) const;

  // Computes the next output rows.
  //
  // It goes by strips of columns, so that what it computes of an input row stays in the cache for all
  // output rows.
  void make(int count, PixelRows& input, PixelRows& output);

 private:
  Neighbours neighbours(PixelRows& input, int y, std::size_t from, std::size_t columns);

  const Kernels& kernels_;
  Columns columns_;
  std::vector<Row> rows_;
  std::size_t strip_;             // columns of a strip
  Buffer<float> spread_;          // 2 rows, 3 channels, left and right: neighbours of a strip's output columns
  std::array<int, 2> spread_rows_;  // the input rows that are there
  int next_ = 0;
};

}  // namespace meanface
