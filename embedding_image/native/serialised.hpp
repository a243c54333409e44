// Cursor over numbers in dlib's serialisation.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace meanface {

class Serialised {
 public:
  Serialised(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}

  // A byte (low nibble: number of bytes, high bit: sign), then the bytes, little-endian.
  std::int64_t integer() {
    const std::uint8_t control = byte();
    if ((control & 0x0F) > 7) throw std::invalid_argument("dlib's file has an integer of more than seven bytes");
    std::int64_t value = 0;
    for (int i = 0; i < (control & 0x0F); ++i) value |= std::int64_t{byte()} << 8 * i;
    return control & 0x80 ? -value : value;
  }

  // Reads an integer that must have this value.
  void expect(std::int64_t value) {
    if (integer() != value) throw std::invalid_argument("dlib's file has another layout than the one that is known");
  }

  // Reads an integer that must be less than the limit.
  std::uint16_t index(std::int64_t limit) {
    const std::int64_t value = integer();
    if (value < 0 || value >= limit) throw std::invalid_argument("dlib's file has an index beyond what it points into");
    return static_cast<std::uint16_t>(value);
  }

  // Mantissa, then exponent.
  float real() {
    const auto mantissa = static_cast<double>(integer());
    const std::int64_t exponent = integer();
    if (exponent < -1000 || exponent > 100) throw std::invalid_argument("dlib's file has a number beyond all measure");
    return static_cast<float>(std::ldexp(mantissa, static_cast<int>(exponent)));
  }

  bool done() const { return next_ == end_; }

 private:
  std::uint8_t byte() {
    if (done()) throw std::invalid_argument("dlib's file ends early");
    return *next_++;
  }

  const std::uint8_t *next_, *end_;
};

}  // namespace meanface
