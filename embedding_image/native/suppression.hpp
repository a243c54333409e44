// From windows that reached their filter's threshold to faces.
#pragma once
#include <vector>

#include "geometry.hpp"

namespace meanface {

// Pixels, both corners included; may reach beyond the photo.
struct Box {
  long left, top, right, bottom;
};

struct Detection {
  double score;   // above the filter's threshold
  double coarse;  // the same, as the coarse scan had it
  int filter;
  Box box;  // in the doubled photo
};

struct Faces {
  std::vector<Detection> kept;  // by falling score
  bool certain;                 // false if other scores, within the tolerance, could give others or another order
};

// The box of a window at a level of the pyramid, by dlib's arithmetic.
Box box_of(int level, int row, int column);

// The same box in the photo itself.
Box halved(const Box& box);

// Keep a detection unless it overlaps one of higher score that is kept.
//
// Certain means: with any scores that differ from the given ones so little that no difference of two changes by
// `tolerance` or more, the same boxes are kept in the same order. For a detection that goes, there is one that is kept,
// overlaps it, and is better by the tolerance, so it comes first anyway; two that are kept do not overlap, so neither
// can remove the other; and neighbours in the order of the kept are apart by the tolerance, so the order stays.
Faces suppress(std::vector<Detection> found, const Overlap& limits, double tolerance);

}  // namespace meanface
