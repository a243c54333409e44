// Resizes an image to the next level, row by row.
#pragma once
#include <vector>

#include "kernels.hpp"
#include "pyramid.hpp"
#include "rows.hpp"

namespace meanface {

class Resizer {
 public:
  Resizer(Size from, Size to, const Kernels& kernels);

  void start() { next_ = 0; }

  // Registers row y of the input; it and the one before must stay in `input` until the next call.
  void take(PixelRows& input, int y);

  // Whether the registered rows suffice for the next output row, which `make` computes.
  bool ready() const;
  void make(const std::array<std::uint8_t*, 3>& output);

 private:
  Neighbours neighbours(int y);

  const Kernels& kernels_;
  Columns columns_;
  std::vector<Row> rows_;
  Buffer<float> spread_;  // 2 rows, 3 channels, left and right: neighbours of every output column
  PixelRows* input_ = nullptr;
  int taken_ = -1;
  std::size_t next_ = 0;
};

}  // namespace meanface
