// One level of the pyramid: receives pixels row by row, passes features to its windows and pixels on.
#pragma once
#include <array>
#include <optional>

#include "pyramid.hpp"
#include "resizer.hpp"
#include "windows.hpp"

namespace meanface {

class Level {
 public:
  // `next` is the level below, if any; its address must not change.
  Level(int number, Size size, Level* next, const Kernels& kernels, const Model& model);

  void start(const Search& search);

  // Destination of the next row of pixels.
  std::array<std::uint8_t*, 3> next_row() { return pixels_.at(pushed_); }
  // The row is complete.
  void push(Found& found);
  // There are no more rows.
  void finish(Found& found);

  Size size() const { return size_; }

 private:
  void gradients_of(int y, Found& found);
  void close_blocks(Found& found);

  const Kernels& kernels_;
  Size size_;
  Level* next_;
  std::optional<Resizer> resizer_;
  PixelRows pixels_;
  int pushed_ = 0;

  // Cells, and the pixels in use: dlib ignores the outermost, and those beyond the last cell.
  int cell_rows_, cell_columns_;
  int last_row_, last_column_;  // exclusive
  std::size_t blocks_;          // in a row, rounded up to groups of `scatter`
  int block_row_ = 0;           // the one being filled
  Buffer<std::uint16_t> earlier_wins_;
  Buffer<float> magnitude_;
  Buffer<std::uint16_t> bin_;
  std::array<Buffer<float>, 2> histograms_;  // of blocks: this row, the row above
  std::array<Buffer<float>, 3> cells_, energy_;  // of the last three rows of cells
  std::array<Buffer<float>, 2> limit_, scale_;   // of the last two rows of corners
  std::optional<Windows> windows_;               // none if no feature fits
};

}  // namespace meanface
