// dlib's frontal face detector over a photo that is doubled once.
//
// All levels of the pyramid advance together: a row of the photo becomes rows of the first level, whose pixels are at
// once reduced to rows of the next. So no image is ever whole in memory, only a few rows of each level: memory grows
// with the width of a photo, not with its area.
#pragma once
#include <cstdint>
#include <memory>

#include "kernels.hpp"
#include "level.hpp"
#include "model.hpp"
#include "suppression.hpp"

namespace meanface {

// Owns its buffers, which fit the last photo's size: for one thread at a time.
class Detector {
 public:
  Detector(const Kernels& kernels, const Weights& weights) : kernels_(kernels), model_(weights) {}
  Detector(const Detector&) = delete;  // the pyramid refers to the model
  Detector& operator=(const Detector&) = delete;

  // Boxes are those of the doubled photo. `rgb` holds three bytes a pixel, row after row. Photos with a side of more
  // than LARGEST pixels, or none, are not looked at.
  Faces find(const std::uint8_t* rgb, Size photo, const Search& search);

  // The features of all cells of all levels, CHANNELS of each; level by level they are not in order.
  std::vector<float> features(const std::uint8_t* rgb, Size photo);

  const char* name() const { return kernels_.name; }

 private:
  struct Pyramid;
  struct Drop {
    void operator()(Pyramid* pyramid) const;
  };
  Pyramid& fit(Size photo);
  void look(const std::uint8_t* rgb, Size photo, const Search& search, Found& found);

  const Kernels& kernels_;
  Model model_;
  std::unique_ptr<Pyramid, Drop> pyramid_;
};

}  // namespace meanface
