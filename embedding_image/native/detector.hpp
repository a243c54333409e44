// dlib's frontal face detector on a photo that is doubled some number of times.
//
// All levels of the pyramid advance together: a few rows of the photo become rows of the first level, which
// are reduced at once to rows of the next. So only a few rows of each level are in memory: it grows with
// the width of a photo, not with its area, however often it is doubled. Rows are processed by strips of
// columns, whose data stay in the nearest cache however wide the photo is.
#pragma once
#include <cstdint>
#include <memory>

#include "kernels.hpp"
#include "level.hpp"
#include "model.hpp"
#include "suppression.hpp"

namespace meanface {

// Owns its buffers, which fit the last photo's size; for one thread at a time.
class Detector {
 public:
  Detector(const Kernels& kernels, const Weights& weights, int doublings)
      : kernels_(kernels), model_(weights), doublings_(doublings) {}
  Detector(const Detector&) = delete;  // the pyramid refers to the model
  Detector& operator=(const Detector&) = delete;

  // Boxes are in the doubled photo. `rgb` has three bytes per pixel, row by row. Empty photos are not
  // searched, nor those with a side of more than LARGEST pixels, before they are doubled the last time.
  Faces find(const std::uint8_t* rgb, Size photo, const Search& search);

  // The features of all cells of all levels, CHANNELS of each, in no order of levels.
  std::vector<float> features(const std::uint8_t* rgb, Size photo);

  const char* name() const { return kernels_.name; }
  int doublings() const { return doublings_; }

 private:
  struct Pyramid;
  struct Drop {
    void operator()(Pyramid* pyramid) const;
  };
  bool possible(Size photo) const;
  Pyramid& fit(Size photo);
  void look(const std::uint8_t* rgb, Size photo, const Search& search, Found& found);

  const Kernels& kernels_;
  Model model_;
  int doublings_;
  std::unique_ptr<Pyramid, Drop> pyramid_;
};

}  // namespace meanface
