// Non-maximum suppression: from windows above their filter's threshold to faces.
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
  double coarse;  // the same by the coarse scan
  int filter;
  Box box;  // in the doubled photo
};

struct Faces {
  std::vector<Detection> kept;  // by falling score
  bool certain;                 // false if other scores within the tolerance could change the boxes or their order
};

// The box of a window at a level of the pyramid, in dlib's arithmetic.
Box box_of(int level, int row, int column);

// The same box in the photo itself, which was doubled so many times.
Box halved(const Box& box, int times = 1);

// Keeps a detection unless it overlaps a kept one of higher score.
//
// Certain means: other scores give the same boxes in the same order, as long as no difference of two
// scores changes by `tolerance` or more. For each removed detection there is a kept one that overlaps it
// and is better by the tolerance, so it always comes first. Two kept ones do not overlap, so neither can
// remove the other. Neighbours in the order of the kept differ by the tolerance, so the order stays.
Faces suppress(std::vector<Detection> found, const Overlap& limits, double tolerance);

}  // namespace meanface
