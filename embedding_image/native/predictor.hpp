// dlib's five landmarks of a face: cascades of regression trees, as Kazemi and Sullivan (2014) have them. A cascade
// looks at pixels near the points so far; each of its trees compares some of them in pairs, and moves the points.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "pyramid.hpp"
#include "suppression.hpp"

namespace meanface {

constexpr std::size_t POINTS = 5;  // two corners of each eye, and the nose
constexpr std::size_t CASCADES = 15;
constexpr std::size_t TREES = 500;   // of a cascade
constexpr std::size_t PIXELS = 800;  // that a cascade looks at
constexpr std::size_t DEPTH = 4;     // of a tree: questions until the answer
constexpr std::size_t LEAVES = std::size_t{1} << DEPTH;
constexpr std::size_t SPLITS = LEAVES - 1;  // level by level

struct Landmarks {
  std::array<std::array<int, 2>, POINTS> points;  // x, y: whole pixels, which may lie beyond the photo
  bool certain;  // false if what dlib computes in doubles could, with other last bits, give others
};

// Does not change: for any number of threads.
class Predictor {
 public:
  // What dlib's file of the predictor holds.
  Predictor(const std::uint8_t* file, std::size_t size);

  // Of the face in a box. `rgb` holds three bytes a pixel, row after row. Photos and boxes with a side of more than
  // LARGEST pixels are not looked at.
  Landmarks find(const std::uint8_t* rgb, Size photo, const Box& box, double tolerance) const;

 private:
  struct Point {
    float x, y;
  };
  using Shape = std::array<Point, POINTS>;  // in the box's unit square
  struct Near {
    Point delta;  // from a point to the pixel
    std::uint16_t point;
  };
  struct Split {  // asks whether one pixel is so much brighter than the other
    std::uint16_t one, other;
    float threshold;
  };
  struct Turn {
    float along, across;  // the matrix [along, -across; across, along]
    bool certain;
  };

  // In floats: a leaf begins at a cache line, and so do a tree's splits, which are one less than there is room for.
  static constexpr std::size_t LEAF = 16;

  Turn turn_to(const Shape& shape, double tolerance) const;

  Shape initial_;
  std::vector<Near> pixels_;  // CASCADES, PIXELS
  Buffer<Split> splits_;      // CASCADES, TREES, LEAVES
  Buffer<float> leaves_;      // CASCADES, TREES, LEAVES, LEAF
};

}  // namespace meanface
