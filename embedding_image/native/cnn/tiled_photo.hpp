// The tiled pyramid of a photo as an image of floats: doubled, and each level resized from the one before.
//
// If the doubled photo has less than 60 columns, a tile can overlap the next one. Then dlib overwrites pixels
// of a level that it still reads, four at a time; here one at a time. Such a photo is smaller than a window.
#pragma once
#include <cstdint>
#include <vector>

#include "../buffer.hpp"
#include "../kernels.hpp"
#include "../pyramid.hpp"
#include "row_source.hpp"
#include "tiling.hpp"

namespace meanface {

// The size of a photo after so many doublings.
Size doubled(Size photo, int times);

class TiledPhoto : public RowSource {
 public:
  TiledPhoto(const Tiling& tiling, const Kernels& kernels, const std::uint8_t* rgb, Size photo, int doublings,
             const float mean[3]);

  const float* row(std::size_t y) override { return at(static_cast<long>(y), 0); }

 private:
  float* at(long y, long x) {
    const std::size_t pixels = static_cast<std::size_t>(y) * shape().columns + static_cast<std::size_t>(x);
    return values_.data() + pixels * shape().pixel;
  }
  void fill_first(const Tile& tile, const Kernels& kernels, const std::uint8_t* rgb, Size photo, int doublings,
                  const float mean[3]);
  void resize(const Tile& from, const Tile& to);

  Buffer<float> values_;
};

}  // namespace meanface
