#include "tiling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "parameters.hpp"

namespace meanface {
namespace {

constexpr long PADDING = 10, OUTER_PADDING = 11;  // pixels between tiles, and around all
constexpr int SMALLEST_ROWS = 5;                  // of a level

std::vector<Size> levels_of(Size size) {
  const double rate = (6 - 1.0) / 6;
  const auto reduced = [rate](int pixels) { return static_cast<int>(std::floor(rate * pixels)); };
  std::vector<Size> levels;
  do {
    levels.push_back(size);
    size = {reduced(size.rows), reduced(size.columns)};
  } while (size.rows >= SMALLEST_ROWS && size.columns > 0);
  return levels;
}

// dlib compares sizes as unsigned numbers, where a negative one is larger than all others.
unsigned long as_unsigned(long value) { return static_cast<unsigned long>(value); }

// Rows of the first column of tiles.
long height_of(const std::vector<Size>& levels) {
  const Size first = levels.front();
  long total = -2 * PADDING;
  for (const Size& level : levels) total += level.rows + PADDING;
  long height = 0, before = 0;
  for (const Size& level : levels) {
    const bool fits_beside = as_unsigned(level.columns) <= as_unsigned(first.columns - before - PADDING);
    if (fits_beside && as_unsigned((height - first.rows) * 2) >= as_unsigned(total - first.rows)) break;
    height += level.rows + PADDING;
    before = level.columns;
  }
  return height - PADDING;
}

bool meet(const Tile& a, const Tile& b) {
  return a.left <= b.right() && b.left <= a.right() && a.top <= b.bottom() && b.top <= a.bottom();
}

long beyond(long at, long first, long last) { return std::max({first - at, at - last, 0L}); }

}  // namespace

Tiling::Tiling(Size photo) {
  const std::vector<Size> levels = levels_of(photo);
  const long height = height_of(levels);
  rows = height + 2 * OUTER_PADDING;
  columns = photo.columns + 2 * OUTER_PADDING;
  std::size_t i = 0;
  long y = OUTER_PADDING;
  for (; i < levels.size() && y < height + OUTER_PADDING; ++i) {
    tiles.push_back({OUTER_PADDING, y, levels[i]});
    y += levels[i].rows + PADDING;
  }
  y -= PADDING;
  for (; i < levels.size(); ++i) {
    const Tile tile{OUTER_PADDING + photo.columns - levels[i].columns, y - levels[i].rows, levels[i]};
    if (meet(tile, tiles.front())) break;
    tiles.push_back(tile);
    y -= levels[i].rows + PADDING;
  }
}

std::size_t Tiling::nearest(long x, long y) const {
  std::size_t best = 0;
  long least = std::numeric_limits<long>::max();
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const Tile& tile = tiles[i];
    const long across = beyond(x, tile.left, tile.right()), down = beyond(y, tile.top, tile.bottom());
    const long distance = across * across + down * down;
    if (distance < least) least = distance, best = i;
  }
  return best;
}

Box Tiling::box(long x, long y) const {
  const std::size_t level = nearest(x, y);
  const Tile& tile = tiles[level];
  const auto edge = [level](long centre, double offset) {
    double at = static_cast<double>(centre) + offset;
    for (std::size_t i = 0; i < level; ++i) at = at * (6 / (6 - 1.0)) + 0.3;
    return std::lround(at);
  };
  constexpr double HALF = (CNN_WINDOW - 1) / 2.0;
  x -= tile.left, y -= tile.top;
  return {edge(x, -HALF), edge(y, -HALF), edge(x, HALF), edge(y, HALF)};
}

}  // namespace meanface
