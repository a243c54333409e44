// The network's parameters in the order in which they are read.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

namespace meanface {

constexpr std::size_t CHIP = 150, COLOURS = 3, EMBEDDING = 128;
constexpr std::size_t CHIP_BYTES = CHIP * CHIP * COLOURS;

// 29 convolutions, each with its filters (output, input, row, column) and then its biases; then the matrix
// (input, output) of the last layer.
constexpr std::size_t CONVOLUTIONS = 29;
constexpr std::size_t CHANNELS_OF[CONVOLUTIONS] = {32,  32,  32,  32,  32,  32,  32,  64,  64,  64,
                                                   64,  64,  64,  64,  64,  128, 128, 128, 128, 128,
                                                   128, 256, 256, 256, 256, 256, 256, 256, 256};

// One convolution's share of the parameters.
struct RawFilters {
  const float *filters, *biases;
  std::size_t outputs, inputs, taps;  // taps: rows x columns

  float filter(std::size_t output, std::size_t input, std::size_t tap) const {
    return filters[(output * inputs + input) * taps + tap];
  }
};

class Parameters {
 public:
  Parameters(const float* values, std::size_t count) : next_(values), left_(count) {}

  RawFilters convolution() {
    const std::size_t outputs = CHANNELS_OF[number_], inputs = number_ ? CHANNELS_OF[number_ - 1] : COLOURS;
    const std::size_t taps = number_ ? 9 : 49;
    ++number_;
    const float* filters = take(outputs * inputs * taps);
    return {filters, take(outputs), outputs, inputs, taps};
  }

  const float* matrix() { return take(CHANNELS_OF[CONVOLUTIONS - 1] * EMBEDDING); }

  void finish() const {
    if (left_) throw std::invalid_argument("the network has " + std::to_string(left_) + " parameters too many");
  }

 private:
  const float* take(std::size_t count) {
    if (count > left_)
      throw std::invalid_argument("the network's parameters end too early: " + std::to_string(left_) +
                                  " are left, and " + std::to_string(count) + " are needed");
    const float* taken = next_;
    next_ += count;
    left_ -= count;
    return taken;
  }

  const float* next_;
  std::size_t left_, number_ = 0;
};

}  // namespace meanface
