#include "suppression.hpp"

#include <algorithm>
#include <cmath>

namespace meanface {
namespace {

double area(long left, long top, long right, long bottom) {
  if (right < left || bottom < top) return 0;
  return static_cast<double>(right - left + 1) * static_cast<double>(bottom - top + 1);
}

double area(const Box& box) { return area(box.left, box.top, box.right, box.bottom); }

// Integers (as doubles) divided and compared: exactly dlib's decision.
bool overlap(const Box& a, const Box& b, const Overlap& limits) {
  const double common = area(std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right),
                             std::min(a.bottom, b.bottom));
  if (common == 0) return false;
  const double hull = area(std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
                           std::max(a.bottom, b.bottom));
  return common / hull > limits.of_hull || common / area(a) > limits.of_either || common / area(b) > limits.of_either;
}

}  // namespace

Box box_of(int level, int row, int column) {
  // dlib takes corners in cells of the padded features, and their middle pixels; then it enlarges them level by level
  const auto pixel = [level](int cell) {
    const int middle = (cell + 1 - PADDING_BEFORE) * CELL + 1;
    double at = middle >= 0 ? middle + CELL / 2 : middle - CELL / 2;
    for (int i = 0; i < level; ++i) at = at * (6 / (6 - 1.0)) + 0.3;
    return at;
  };
  const auto corners = [&](int cell, long& low, long& high) {
    const double one = pixel(cell), other = pixel(cell + WINDOW - 1);
    low = std::lround(std::min(one, other)), high = std::lround(std::max(one, other));
  };
  Box box{};
  corners(column, box.left, box.right);
  corners(row, box.top, box.bottom);
  return box;
}

Box halved(const Box& box, int times) {
  const auto half = [times](long at, double offset) {
    double halved = static_cast<double>(at);
    for (int i = 0; i < times; ++i) halved = halved / 2.0 - offset;
    return std::lround(halved);
  };
  return {half(box.left, 1.25), half(box.top, 0.75), half(box.right, 1.25), half(box.bottom, 0.75)};
}

Faces suppress(std::vector<Detection> found, const Overlap& limits, double tolerance) {
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  Faces faces{{}, true};
  for (const Detection& next : found) {
    bool goes = false, surely = false;
    for (const Detection& kept : faces.kept) {
      if (!overlap(kept.box, next.box, limits)) continue;
      goes = true;
      if ((surely = kept.score - next.score >= tolerance)) break;
    }
    if (goes) {
      faces.certain &= surely;
    } else {
      faces.certain &= faces.kept.empty() || faces.kept.back().score - next.score >= tolerance;
      faces.kept.push_back(next);
    }
  }
  return faces;
}

}  // namespace meanface
