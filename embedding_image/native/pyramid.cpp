#include "pyramid.hpp"

#include <algorithm>
#include <cmath>

#include "geometry.hpp"

namespace meanface {
namespace {

// dlib counts levels by reducing a rectangle and rounding its corners each time, not by the levels' sizes.
int count_levels(Size first) {
  const double ratio = 5.0 / 6.0;
  const auto reduced = [ratio](long corner) { return std::lround((static_cast<double>(corner) - 0.3) * ratio); };
  long left = 0, top = 0, right = first.columns - 1, bottom = first.rows - 1;
  int levels = 0;
  do {
    left = reduced(left), top = reduced(top), right = reduced(right), bottom = reduced(bottom);
    ++levels;
  } while (right - left + 1 >= SMALLEST && bottom - top + 1 >= SMALLEST);
  return levels;
}

// Input columns (or rows) for each step of one output column (or row).
double step(int from, int to) { return (from - 1) / static_cast<double>(std::max(to - 1, 1)); }

}  // namespace

// dlib's point arithmetic rounds the doubled photo's rectangle, not its size: 250 becomes 502 columns, 501 rows.
Size doubled(Size photo) {
  return {static_cast<int>(std::lround((photo.rows - 1 + 0.75) * 2)) + 1,
          static_cast<int>(std::lround((photo.columns - 1 + 1.25) * 2)) + 1};
}

std::vector<Size> pyramid_of(Size photo) {
  Size level = doubled(photo);
  std::vector<Size> levels(static_cast<std::size_t>(count_levels(level)), level);
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const Size larger = levels[i - 1];
    levels[i] = {5 * larger.rows / 6, 5 * larger.columns / 6};
  }
  return levels;
}

Columns::Columns(int from, int to) : vectors(0) {
  constexpr std::size_t GROUP = 4, BLOCK = 8;
  const double by = step(from, to);
  double x = -4 * by;
  const float by4 = static_cast<float>(4 * by);
  float at[GROUP];
  for (std::size_t k = 0; k < GROUP; ++k) at[k] = static_cast<float>(x + static_cast<double>(k) * by);

  std::vector<std::int32_t> left;
  std::vector<float> weight;
  for (;; vectors += GROUP) {
    for (float& position : at) position += by4;
    if (static_cast<int>(at[GROUP - 1]) + 1 >= from) break;
    for (const float position : at) {
      left.push_back(static_cast<int>(position));
      weight.push_back(position - static_cast<float>(left.back()));
    }
  }

  // Whole registers; the tail overwrites what they compute beyond `vectors`.
  const std::size_t padded = round_up(left.size(), 16);
  right_weight = Buffer<float>(padded);
  left_weight = Buffer<float>(padded);
  for (std::size_t c = 0; c < weight.size(); ++c) right_weight[c] = weight[c], left_weight[c] = 1 - weight[c];
  left.resize(padded, left.empty() ? 0 : left.back());
  for (std::size_t c = 0; c < padded; c += BLOCK) {
    base.push_back(left[c]);
    for (int neighbour : {0, 1})
      for (std::size_t k = 0; k < BLOCK; ++k)
        offset.push_back(static_cast<std::uint8_t>(left[c + k] - left[c] + neighbour));
  }

  x = -by + vectors * by;
  for (int c = vectors; c < to; ++c) {
    x += by;
    tail_left.push_back(static_cast<int>(std::floor(x)));
    tail_right.push_back(std::min(tail_left.back() + 1, from - 1));
    tail_weight.push_back(x - tail_left.back());
  }
}

std::vector<Row> rows_of(int from, int to) {
  std::vector<Row> rows;
  const double by = step(from, to);
  double y = -by;
  for (int r = 0; r < to; ++r) {
    y += by;
    const int top = static_cast<int>(std::floor(y));
    rows.push_back({top, std::min(top + 1, from - 1), y - top});
  }
  return rows;
}

}  // namespace meanface
