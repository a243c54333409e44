#include "predictor.hpp"

#include <cmath>

#include "serialised.hpp"

namespace meanface {
namespace {

// From the box's unit square to the nearest whole pixel. dlib gets the same numbers by inverting a matrix
// of zeros and ones with determinant one, which rounds nothing.
struct Axis {
  double begin, length;

  int pixel(float at) const {
    const double raised = static_cast<double>(at) * length + begin + 0.5;
    if (!(std::abs(raised) < 1e9)) return -1;  // numbers of a damaged file: no pixel
    const int towards_zero = static_cast<int>(raised);
    return towards_zero - (towards_zero > raised);
  }
};

float grey(const std::uint8_t* rgb, Size photo, int row, int column) {
  if (row < 0 || row >= photo.rows || column < 0 || column >= photo.columns) return 0;
  const auto before = static_cast<std::size_t>(row) * static_cast<std::size_t>(photo.columns);
  const std::uint8_t* pixel = rgb + 3 * (before + static_cast<std::size_t>(column));
  return static_cast<float>((pixel[0] + pixel[1] + pixel[2]) / 3);
}

bool possible(Size photo, const Box& box) {
  const auto within = [](long value, long limit) { return value >= -limit && value <= limit; };
  return photo.rows <= LARGEST && photo.columns <= LARGEST && within(box.left, 2 * LARGEST) &&
         within(box.right, 2 * LARGEST) && within(box.top, 2 * LARGEST) && within(box.bottom, 2 * LARGEST);
}

}  // namespace

// Version, initial shape, trees, then the pixels that they read. A matrix follows its sizes, negated.
Predictor::Predictor(const std::uint8_t* file, std::size_t size)
    : splits_(CASCADES * TREES * LEAVES), leaves_(CASCADES * TREES * LEAVES * LEAF) {
  Serialised numbers(file, size);
  const auto expect_shape = [&numbers] { numbers.expect(-std::int64_t{2 * POINTS}), numbers.expect(-1); };
  numbers.expect(1);
  expect_shape();
  for (Point& point : initial_) point.x = numbers.real(), point.y = numbers.real();
  numbers.expect(CASCADES);
  for (std::size_t tree = 0; tree < CASCADES * TREES; ++tree) {
    if (tree % TREES == 0) numbers.expect(TREES);
    numbers.expect(SPLITS);
    for (std::size_t i = 0; i < SPLITS; ++i) {
      Split& split = splits_[tree * LEAVES + i];
      split.one = numbers.index(PIXELS), split.other = numbers.index(PIXELS), split.threshold = numbers.real();
    }
    numbers.expect(LEAVES);
    for (std::size_t leaf = 0; leaf < LEAVES; ++leaf) {
      expect_shape();
      for (std::size_t k = 0; k < 2 * POINTS; ++k) leaves_[(tree * LEAVES + leaf) * LEAF + k] = numbers.real();
    }
  }
  pixels_.resize(CASCADES * PIXELS);
  numbers.expect(CASCADES);
  for (std::size_t i = 0; i < pixels_.size(); ++i) {
    if (i % PIXELS == 0) numbers.expect(PIXELS);
    pixels_[i].point = numbers.index(POINTS);
  }
  numbers.expect(CASCADES);
  for (std::size_t i = 0; i < pixels_.size(); ++i) {
    if (i % PIXELS == 0) numbers.expect(PIXELS);
    pixels_[i].delta.x = numbers.real(), pixels_[i].delta.y = numbers.real();
  }
  if (!numbers.done()) throw std::invalid_argument("dlib's file of landmarks goes on where it should end");
}

// The rotation and scale that bring the initial shape closest to `shape`, both around their means. dlib
// gets it from a singular value decomposition: equal except for last bits of a double, which are lost in
// the conversion to a float, unless it lies in the middle between two.
Predictor::Turn Predictor::turn_to(const Shape& shape, double tolerance) const {
  double x = 0, y = 0, u = 0, v = 0;
  for (std::size_t i = 0; i < POINTS; ++i)
    x += initial_[i].x, y += initial_[i].y, u += shape[i].x, v += shape[i].y;
  x /= POINTS, y /= POINTS, u /= POINTS, v /= POINTS;
  double along = 0, across = 0, from = 0, to = 0;
  for (std::size_t i = 0; i < POINTS; ++i) {
    const double a = initial_[i].x - x, b = initial_[i].y - y, c = shape[i].x - u, d = shape[i].y - v;
    along += a * c + b * d, across += a * d - b * c, from += a * a + b * b, to += c * c + d * d;
  }
  along /= from, across /= from;
  const double error = tolerance * std::sqrt(to / from);
  const auto sure = [error](double value) {
    return static_cast<float>(value - error) == static_cast<float>(value + error);
  };
  return {static_cast<float>(along), static_cast<float>(across), sure(along) && sure(across)};
}

Landmarks Predictor::find(const std::uint8_t* rgb, Size photo, const Box& box, double tolerance) const {
  Landmarks found{{}, possible(photo, box)};
  if (!found.certain) return found;
  const Axis columns{static_cast<double>(box.left), static_cast<double>(box.right - box.left)};
  const Axis rows{static_cast<double>(box.top), static_cast<double>(box.bottom - box.top)};
  Shape shape = initial_;
  for (std::size_t cascade = 0; cascade < CASCADES; ++cascade) {
    // The first offset is zero in any photo; dlib's tiny number instead is too small to move a pixel.
    const Turn turn = cascade ? turn_to(shape, tolerance) : Turn{1, 0, true};
    found.certain &= turn.certain;
    float seen[PIXELS];
    for (std::size_t i = 0; i < PIXELS; ++i) {
      const Near& near = pixels_[cascade * PIXELS + i];
      const Point by = near.delta, at = shape[near.point];
      const int column = columns.pixel(turn.along * by.x - turn.across * by.y + at.x);
      const int row = rows.pixel(turn.across * by.x + turn.along * by.y + at.y);
      seen[i] = grey(rgb, photo, row, column);
    }
    // All trees of a cascade read the same pixels; then their leaves are added one after the other.
    const float* answers[TREES];
    for (std::size_t i = 0; i < TREES; ++i) {
      const std::size_t tree = (cascade * TREES + i) * LEAVES;
      std::size_t node = 0;
      for (std::size_t level = 0; level < DEPTH; ++level) {
        const Split& split = splits_[tree + node];
        node = 2 * node + (seen[split.one] - seen[split.other] > split.threshold ? 1 : 2);
      }
      answers[i] = leaves_.data() + (tree + node - SPLITS) * LEAF;
      __builtin_prefetch(answers[i]);
    }
    float sum[2 * POINTS];
    for (std::size_t k = 0; k < POINTS; ++k) sum[2 * k] = shape[k].x, sum[2 * k + 1] = shape[k].y;
    for (const float* answer : answers)
      for (std::size_t k = 0; k < 2 * POINTS; ++k) sum[k] += answer[k];
    for (std::size_t k = 0; k < POINTS; ++k) shape[k] = {sum[2 * k], sum[2 * k + 1]};
  }
  for (std::size_t k = 0; k < POINTS; ++k) found.points[k] = {columns.pixel(shape[k].x), rows.pixel(shape[k].y)};
  return found;
}

}  // namespace meanface
