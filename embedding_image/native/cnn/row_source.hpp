// An image of floats that is read row by row, from the top: the tiled photo, or the outputs of a layer.
#pragma once
#include <cstddef>

namespace meanface {

struct ImageShape {
  std::size_t rows, columns;
  std::size_t channels, pixel;  // floats of a pixel that count, and from one pixel to the next
};

class RowSource {
 public:
  virtual ~RowSource() = default;

  const ImageShape& shape() const { return shape_; }

  // Row y, which is computed if it was not yet. It stays for as many calls with later rows as its reader
  // needs together. On both sides are the zeros that its reader needs.
  virtual const float* row(std::size_t y) = 0;

 protected:
  explicit RowSource(ImageShape shape) : shape_(shape) {}

 private:
  ImageShape shape_;
};

}  // namespace meanface
