// The last few rows of a streamed image, in three planes.
#pragma once
#include <array>
#include <cstdint>

#include "buffer.hpp"
#include "geometry.hpp"

namespace meanface {

class PixelRows {
 public:
  static constexpr std::size_t COUNT = 16;  // a power of two, as rows are looked up often

  explicit PixelRows(int columns)
      : pitch_(SLACK + round_up(static_cast<std::size_t>(columns), SLACK) + SLACK), bytes_(COUNT * 3 * pitch_) {}

  // Row y, which must be one of the last COUNT. Vector code may read and write SLACK bytes on either side
  // of a row's pixels.
  std::uint8_t* at(int y, std::size_t channel) {
    return bytes_.data() + (static_cast<std::size_t>(y) % COUNT * 3 + channel) * pitch_ + SLACK;
  }
  std::array<std::uint8_t*, 3> at(int y) { return {at(y, 0), at(y, 1), at(y, 2)}; }

 private:
  std::size_t pitch_;
  Buffer<std::uint8_t> bytes_;
};

}  // namespace meanface
