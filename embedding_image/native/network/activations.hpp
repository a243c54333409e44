// The values between two layers: an image of pixels for each chip.
#pragma once
#include "../buffer.hpp"
#include "kernels.hpp"

namespace meanface {

// Square images, one after the other; a pixel's channels are together. Around an image are zeros: one pixel
// on each side, and up to the end of the last tile. They stay, as only pixels are written.
struct Images {
  float* first;  // the first image's border
  std::size_t size, channels, row, image;  // pixels, floats of a pixel, of a row and of an image

  float* at(std::size_t chip, std::size_t y, std::size_t x) const { return corner(chip, y + 1, x + 1); }

  // The pixel above and to the left of (y, x), which may be in the border.
  float* corner(std::size_t chip, std::size_t y, std::size_t x) const {
    return first + chip * image + y * row + x * channels;
  }

  Images from(std::size_t chip) const { return {first + chip * image, size, channels, row, image}; }
};

class Activations {
 public:
  Activations(std::size_t chips, std::size_t size, std::size_t channels)
      : size_(size),
        channels_(channels),
        side_(round_up(size, OUTPUT_TILE) + 2),
        values_(chips * side_ * side_ * channels) {}

  Images images() { return {values_.data(), size_, channels_, side_ * channels_, side_ * side_ * channels_}; }

 private:
  std::size_t size_, channels_, side_;
  Buffer<float> values_;
};

}  // namespace meanface
