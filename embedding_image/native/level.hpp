// One level of the pyramid: pixels come in row by row; features go to its windows, pixels to the next level.
#pragma once
#include <array>
#include <optional>

#include "pyramid.hpp"
#include "resizer.hpp"
#include "windows.hpp"

namespace meanface {

class Level {
 public:
  // `next` is the level below, if there is one; it must stay where it is.
  Level(int number, Size size, Level* next, const Kernels& kernels, const Model& model);

  void start(const Search& search);

  // Where the next row of pixels goes.
  std::array<std::uint8_t*, 3> next_row() { return pixels_.at(pushed_); }
  // The row is there.
  void push(Found& found);
  // No row comes any more.
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

  // Cells, and the pixels that count: dlib leaves out the outermost, and what lies beyond the last cell.
  int cell_rows_, cell_columns_;
  int last_row_, last_column_;  // exclusive
  std::size_t blocks_;          // in a row, rounded up to what `scatter` takes
  int block_row_ = 0;           // that is being filled
  Buffer<std::uint16_t> earlier_wins_;
  Buffer<float> magnitude_;
  Buffer<std::uint16_t> bin_;
  std::array<Buffer<float>, 2> histograms_;  // of blocks: this row, the row above
  std::array<Buffer<float>, 3> cells_, energy_;  // of the last three rows of cells
  std::array<Buffer<float>, 2> limit_, scale_;   // of the last two rows of corners
  std::optional<Windows> windows_;               // none where no feature fits
};

}  // namespace meanface
