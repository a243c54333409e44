// One level of the pyramid: receives pixels by rows, passes features to its windows and pixels on.
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

  // Where to write the next row of pixels, if it is not made by a resizer.
  std::array<std::uint8_t*, 3> next_row() { return pixels_.at(pushed_); }
  // That row is complete.
  void push(Found& found);

  // Makes as many of this level's next rows as the resizer can from the first `taken` rows of its input.
  void take(Resizer& resizer, PixelRows& input, int taken, Found& found);
  // There are no more rows.
  void finish(Found& found);

  Size size() const { return size_; }

 private:
  int lacking() const;
  void advance(Found& found);
  void fill_blocks(int end, Found& found);
  void fill(int first, int end);
  void close_blocks(Found& found);

  const Kernels& kernels_;
  Size size_;
  Level* next_;
  std::optional<Resizer> resizer_;
  PixelRows pixels_;
  int pushed_ = 0;  // rows of pixels
  int filled_ = 1;  // rows whose gradients are in blocks; the outermost has none

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
