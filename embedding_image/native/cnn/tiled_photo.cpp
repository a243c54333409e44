#include "tiled_photo.hpp"

#include <array>
#include <cstring>
#include <memory>

#include "../resizer.hpp"
#include "../rows.hpp"

namespace meanface {
namespace {

constexpr std::size_t COLOURS = 3;

// Doubles a photo row by row, as often as asked.
class Doubler {
 public:
  Doubler(Size photo, int times, const Kernels& kernels) : kernels_(kernels), columns_(photo.columns) {
    rows_.push_back(std::make_unique<PixelRows>(photo.columns));
    for (int i = 0; i < times; ++i, photo = doubled(photo)) {
      resizers_.push_back(std::make_unique<Resizer>(photo, doubled(photo), kernels));
      rows_.push_back(std::make_unique<PixelRows>(doubled(photo).columns));
    }
    taken_.resize(rows_.size());
  }

  // Takes the photo's next row. Returns how many rows of the result there are.
  int take(const std::uint8_t* rgb) {
    kernels_.split(rgb, static_cast<std::size_t>(columns_), rows_[0]->at(taken_[0]++).data());
    for (std::size_t i = 0; i < resizers_.size(); ++i) {
      const int ready = resizers_[i]->ready(taken_[i]);
      resizers_[i]->make(ready, *rows_[i], *rows_[i + 1]);
      taken_[i + 1] += ready;
    }
    return taken_.back();
  }

  // One of the rows that the last `take` made.
  std::array<std::uint8_t*, COLOURS> row(int y) { return rows_.back()->at(y); }

 private:
  const Kernels& kernels_;
  int columns_;
  std::vector<std::unique_ptr<PixelRows>> rows_;
  std::vector<std::unique_ptr<Resizer>> resizers_;
  std::vector<int> taken_;
};

// Four floats, of which the last one is the next pixel's.
using Pixel = float __attribute__((vector_size(16)));

Pixel load(const float* from) {
  Pixel pixel;
  std::memcpy(&pixel, from, sizeof pixel);
  return pixel;
}

Pixel splat(float value) { return Pixel{value, value, value, value}; }

struct Weights {
  float right;
  double bottom;
};

// dlib's order of additions.
Pixel blend(const float* top, const float* bottom, std::size_t left, const Weights& weights) {
  const auto below = static_cast<float>(weights.bottom), above = static_cast<float>(1 - weights.bottom);
  const float right = weights.right, rest = 1 - right;
  return splat(above * rest) * load(top + left) + splat(above * right) * load(top + left + COLOURS) +
         splat(below * rest) * load(bottom + left) + splat(below * right) * load(bottom + left + COLOURS);
}

// The last columns, whose right neighbour may be missing: products and sums of a row in float, of rows in double.
float blend_last(const float* top, const float* bottom, std::size_t left, std::size_t right, const Weights& weights) {
  const float rest = 1 - weights.right;
  const double upper = rest * top[left] + weights.right * top[right];
  const double lower = rest * bottom[left] + weights.right * bottom[right];
  return static_cast<float>((1 - weights.bottom) * upper + weights.bottom * lower);
}

}  // namespace

Size doubled(Size photo, int times) {
  for (int i = 0; i < times; ++i) photo = doubled(photo);
  return photo;
}

TiledPhoto::TiledPhoto(const Tiling& tiling, const Kernels& kernels, const std::uint8_t* rgb, Size photo, int doublings,
                       const float mean[3])
    : RowSource({static_cast<std::size_t>(tiling.rows), static_cast<std::size_t>(tiling.columns), COLOURS, COLOURS}),
      values_(shape().rows * shape().columns * COLOURS + 1) {
  const std::vector<Tile>& tiles = tiling.tiles;
  fill_first(tiles.front(), kernels, rgb, photo, doublings, mean);
  for (std::size_t i = 1; i < tiles.size(); ++i) resize(tiles[i - 1], tiles[i]);
}

void TiledPhoto::fill_first(const Tile& tile, const Kernels& kernels, const std::uint8_t* rgb, Size photo,
                            int doublings, const float mean[3]) {
  constexpr std::size_t BYTES = 256;
  float values[COLOURS][BYTES];
  for (std::size_t colour = 0; colour < COLOURS; ++colour)
    for (std::size_t byte = 0; byte < BYTES; ++byte)
      values[colour][byte] = (static_cast<float>(byte) - mean[colour]) / BYTES;

  Doubler doubler(photo, doublings, kernels);
  for (int y = 0, done = 0; y < photo.rows; ++y, rgb += COLOURS * static_cast<std::size_t>(photo.columns)) {
    for (const int ready = doubler.take(rgb); done < ready; ++done) {
      const auto planes = doubler.row(done);
      float* to = at(tile.top + done, tile.left);
      for (int x = 0; x < tile.size.columns; ++x)
        for (std::size_t colour = 0; colour < COLOURS; ++colour) *to++ = values[colour][planes[colour][x]];
    }
  }
}

void TiledPhoto::resize(const Tile& from, const Tile& to) {
  const Columns columns(from.size.columns, to.size.columns);
  const std::vector<Row> rows = rows_of(from.size.rows, to.size.rows);
  const auto vectors = static_cast<std::size_t>(columns.vectors);
  long y = to.top;
  for (const Row& row : rows) {
    const float *const top = at(from.top + row.top, from.left), *const bottom = at(from.top + row.bottom, from.left);
    float* output = at(y++, to.left);
    for (std::size_t x = 0; x < vectors; ++x, output += COLOURS) {
      const auto left = static_cast<std::size_t>(columns.left(x));
      const Pixel pixel = blend(top, bottom, left * COLOURS, {columns.right_weight[x], row.weight});
      std::memcpy(output, &pixel, COLOURS * sizeof(float));
    }
    for (std::size_t x = 0; x < columns.tail_left.size(); ++x) {
      const auto left = static_cast<std::size_t>(columns.tail_left[x]);
      const auto right = static_cast<std::size_t>(columns.tail_right[x]);
      const Weights weights{static_cast<float>(columns.tail_weight[x]), row.weight};
      for (std::size_t colour = 0; colour < COLOURS; ++colour)
        *output++ = blend_last(top, bottom, left * COLOURS + colour, right * COLOURS + colour, weights);
    }
  }
}

}  // namespace meanface
