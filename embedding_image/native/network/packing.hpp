// Filters in the order in which kernels read them.
#pragma once
#include <cstddef>

#include "../buffer.hpp"

namespace meanface {

// [output / panel][i][j][output % panel], for i below `rows` and j below `columns`; `at(output, i, j)` is a value.
template <class At>
Buffer<float> packed(std::size_t outputs, std::size_t rows, std::size_t columns, std::size_t panel, const At& at) {
  Buffer<float> values(outputs * rows * columns);
  float* next = values.data();
  for (std::size_t first = 0; first < outputs; first += panel) {
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        for (std::size_t k = first; k < first + panel; ++k) *next++ = at(k, i, j);
      }
    }
  }
  return values;
}

inline Buffer<float> copied(const float* values, std::size_t count) {
  Buffer<float> copy(count);
  for (std::size_t i = 0; i < count; ++i) copy[i] = values[i];
  return copy;
}

}  // namespace meanface
