// The pyramid: the photo, doubled or not, then reduced by 6 to 5 until no face fits; and the resizing between levels.
#pragma once
#include <cstdint>
#include <vector>

#include "buffer.hpp"

namespace meanface {

struct Size {
  int rows, columns;
};

// Size of a photo doubled once.
Size doubled(Size photo);

// Sizes of all levels, the given one first.
std::vector<Size> pyramid_of(Size first);

// The two input columns around each output column, and its distance to the left one.
//
// dlib advances the position by float additions, four columns at a time, and uses double arithmetic from
// the first group on that would touch the last input column. Results are truncated to bytes, where the
// smallest difference matters: this runs the same recurrences, once for each size.
struct Columns {
  int vectors;  // output columns of the float part; a multiple of four
  Buffer<float> right_weight, left_weight;
  std::vector<std::int32_t> base;    // for each 8 output columns: the leftmost input column of them
  std::vector<std::uint8_t> offset;  // for each 8: offsets of their left neighbours from there, then of the right ones
  std::vector<std::int32_t> tail_left, tail_right;
  std::vector<double> tail_weight;  // of the right column

  Columns(int from, int to);
  std::size_t padded() const { return right_weight.size(); }
  // The input column left of an output column of the float part.
  int left(std::size_t column) const { return base[column / 8] + offset[column / 8 * 16 + column % 8]; }
};

// The same for a row, in double arithmetic.
struct Row {
  int top, bottom;
  double weight;  // of the bottom row
};

std::vector<Row> rows_of(int from, int to);

}  // namespace meanface
