// dlib's tiled pyramid: all levels of the photo in one image, and the way back from there to the photo.
#pragma once
#include <vector>

#include "../pyramid.hpp"
#include "../suppression.hpp"

namespace meanface {

struct Tile {
  long left, top;
  Size size;

  long right() const { return left + size.columns - 1; }
  long bottom() const { return top + size.rows - 1; }
};

// Levels go down a first column, then up a second one beside it until they would meet the first level.
struct Tiling {
  std::vector<Tile> tiles;  // by level
  long rows, columns;       // of the tiled image

  // Of a photo of at least CNN_LEAST_ROWS and CNN_LEAST_COLUMNS.
  explicit Tiling(Size photo);

  // The box, in the photo, of a window with its centre at a pixel of the tiled image.
  Box box(long x, long y) const;

 private:
  std::size_t nearest(long x, long y) const;
};

}  // namespace meanface
