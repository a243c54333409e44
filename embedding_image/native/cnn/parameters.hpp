// The CNN detector's layers, and its parameters in the order in which they are read.
#pragma once
#include <cstddef>

#include "../geometry.hpp"

namespace meanface {

constexpr int CNN_WINDOW = 80;  // pixels of a window's side

// A ReLU follows each layer but the last.
struct CnnLayer {
  std::size_t inputs, outputs, side, stride, padding;

  std::size_t parameters() const { return outputs * side * side * inputs + outputs; }
};

constexpr std::size_t CNN_LAYERS = 7;
constexpr CnnLayer CNN_LAYERS_OF[CNN_LAYERS] = {
    {3, 16, 5, 2, 0},  {16, 32, 5, 2, 0}, {32, 32, 5, 2, 0}, {32, 45, 5, 1, 2},
    {45, 45, 5, 1, 2}, {45, 45, 5, 1, 2}, {45, 1, 9, 1, 4}};

// An output (x, y) of the network sees a window around the pixel (8 x + 14, 8 y + 14).
constexpr long CNN_STRIDE = 8, CNN_CENTRE = 14;

// Smaller photos, after doubling, have no output; dlib raises an error.
constexpr int CNN_LEAST_ROWS = 7, CNN_LEAST_COLUMNS = 10;

// Plain arrays from Python; meanface/embedder/detector/cnn_file.py has them.
struct CnnWeights {
  const float* parameters;  // of each layer: filters (output, row, column, input), then biases
  std::size_t count;
  const float* mean;  // red, green, blue
  Overlap overlap;
};

}  // namespace meanface
