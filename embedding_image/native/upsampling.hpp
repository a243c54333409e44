// Doubles a photo some number of times, a few rows at a time, for the pyramid's first level.
#pragma once
#include <vector>

#include "level.hpp"
#include "pyramid.hpp"
#include "resizer.hpp"
#include "rows.hpp"

namespace meanface {

class Upsampling {
 public:
  Upsampling(Size photo, int times, const Kernels& kernels);

  // Of the doubled photo.
  Size size() const { return size_; }

  void start();

  // Passes the photo's next row on to the first level; `rgb` has three bytes per pixel.
  void push(const std::uint8_t* rgb, Level& first, Found& found);

 private:
  struct Doubling {
    PixelRows rows;  // its input
    int taken = 0;   // rows of input so far
    Resizer resizer;
  };

  void advance(std::size_t doubling, Level& first, Found& found);

  const Kernels& kernels_;
  Size photo_, size_;
  std::vector<Doubling> doublings_;  // none if the photo is searched as it is
};

}  // namespace meanface
