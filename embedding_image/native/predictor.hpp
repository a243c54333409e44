// dlib's five landmarks of a face: cascades of regression trees (Kazemi and Sullivan 2014). A cascade
// reads pixels near the current points; each of its trees compares pairs of them and moves the points.
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
constexpr std::size_t PIXELS = 800;  // that a cascade reads
constexpr std::size_t DEPTH = 4;     // of a tree: splits before a leaf
constexpr std::size_t LEAVES = std::size_t{1} << DEPTH;
constexpr std::size_t SPLITS = LEAVES - 1;  // level by level

struct Landmarks {
  std::array<std::array<int, 2>, POINTS> points;  // x, y in whole pixels; may lie beyond the photo
  bool certain;  // false if other last bits of dlib's doubles could give other points
};

// Immutable, so for any number of threads.
class Predictor {
 public:
  // Reads dlib's file of the predictor.
  Predictor(const std::uint8_t* file, std::size_t size);

  // Points of the face in a box. `rgb` has three bytes per pixel, row by row. Photos and boxes with a
  // side of more than LARGEST pixels are not processed.
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
  struct Split {  // whether one pixel is brighter than another by a threshold
    std::uint16_t one, other;
    float threshold;
  };
  struct Turn {
    float along, across;  // the matrix [along, -across; across, along]
    bool certain;
  };

  // In floats: each leaf begins at a cache line, and so do a tree's splits, with room for one more.
  static constexpr std::size_t LEAF = 16;

  Turn turn_to(const Shape& shape, double tolerance) const;

  Shape initial_;
  std::vector<Near> pixels_;  // CASCADES, PIXELS
  Buffer<Split> splits_;      // CASCADES, TREES, LEAVES
  Buffer<float> leaves_;      // CASCADES, TREES, LEAVES, LEAF
};

}  // namespace meanface
