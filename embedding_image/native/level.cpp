#include "level.hpp"

#include <algorithm>
#include <utility>

namespace meanface {
namespace {

// Shares of a pixel in row (or column) i of a block for the cell below (or right) and the one above.
struct Shares {
  float weights[CELL][CELL][4];

  Shares() {
    for (int y = 0; y < CELL; ++y) {
      for (int x = 0; x < CELL; ++x) {
        const float below = (static_cast<float>(y) + 0.5F) / CELL, right = (static_cast<float>(x) + 0.5F) / CELL;
        const float share[4] = {(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right};
        std::copy_n(share, 4, weights[y][x]);
      }
    }
  }
};

const Shares SHARES;

constexpr std::size_t STRIP_BLOCKS = 32;  // 10 KiB of histograms; a multiple of BLOCKS_AT_ONCE

int cells_of(int pixels) { return static_cast<int>(static_cast<float>(pixels) / CELL + 0.5); }

}  // namespace

Level::Level(int number, Size size, Level* next, const Kernels& kernels, const Model& model)
    : kernels_(kernels),
      size_(size),
      next_(next),
      pixels_(size.columns),
      cell_rows_(cells_of(size.rows)),
      cell_columns_(cells_of(size.columns)),
      last_row_(std::min(cell_rows_ * CELL, size.rows) - 1),
      last_column_(std::min(cell_columns_ * CELL, size.columns) - 1),
      blocks_(round_up(static_cast<std::size_t>(cell_columns_ + 1), BLOCKS_AT_ONCE)) {
  if (next) resizer_.emplace(size, next->size(), kernels);
  if (cell_rows_ < 3 || cell_columns_ < 3) return;  // features need a cell on each side
  windows_.emplace(number, cell_rows_ - 2, cell_columns_ - 2, kernels, model);

  const std::size_t width = blocks_ * CELL, cells = static_cast<std::size_t>(cell_columns_) + 16;
  earlier_wins_ = Buffer<std::uint16_t>(width);
  magnitude_ = Buffer<float>(width);
  bin_ = Buffer<std::uint16_t>(width);
  for (auto& rows : histograms_) rows = Buffer<float>(blocks_ * BLOCK_FLOATS);
  for (auto& row : cells_) row = Buffer<float>(cells * STRIDE);
  for (auto* rows : {&limit_[0], &limit_[1], &scale_[0], &scale_[1], &energy_[0], &energy_[1], &energy_[2]})
    *rows = Buffer<float>(cells);

  // dlib's groups of eight columns from the second on; the rest one by one, with the other preference
  int one_by_one = 1;
  while (one_by_one < last_column_ - 7) one_by_one += 8;
  std::fill(earlier_wins_.data() + one_by_one + SHIFT, earlier_wins_.data() + width, std::uint16_t{1});
}

void Level::start(const Search& search) {
  pushed_ = block_row_ = 0;
  filled_ = 1;
  if (resizer_) resizer_->start();
  if (windows_) windows_->start(search);
  std::fill_n(histograms_[0].data(), histograms_[0].size(), 0.0F);
}

// How many rows of pixels a row of blocks still needs, with the row below it.
int Level::lacking() const { return CELL - (pushed_ + CELL - SHIFT - 1) % CELL; }

void Level::push(Found& found) {
  const bool completes = lacking() == 1;
  ++pushed_;
  if (completes) advance(found);
}

void Level::take(Resizer& resizer, PixelRows& input, int taken, Found& found) {
  while (const int ready = resizer.ready(taken)) {
    const int wanted = lacking(), count = std::min(ready, wanted);
    resizer.make(count, input, pixels_);
    pushed_ += count;
    if (count == wanted) advance(found);
  }
}

void Level::advance(Found& found) {
  if (windows_) fill_blocks(std::min(pushed_ - 1, last_row_), found);
  if (resizer_) next_->take(*resizer_, pixels_, pushed_, found);
}

void Level::finish(Found& found) {
  advance(found);
  if (!windows_) return;
  while (block_row_ <= cell_rows_) close_blocks(found);
  windows_->finish(found);
}

// Adds the gradients of all rows before `end` to blocks.
void Level::fill_blocks(int end, Found& found) {
  while (filled_ < end) {
    const int block_row = (filled_ + SHIFT) / CELL;
    while (block_row_ < block_row) close_blocks(found);
    const int last = std::min(end, (block_row + 1) * CELL - SHIFT);
    fill(filled_, last);
    filled_ = last;
  }
}

// Adds the gradients of rows of pixels to one row of blocks, by strips that stay in the cache.
void Level::fill(int first, int end) {
  // Of pixels with a gradient.
  const std::size_t left = SHIFT + 1, right = static_cast<std::size_t>(last_column_ + SHIFT);
  for (std::size_t block = 0; block < blocks_; block += STRIP_BLOCKS) {
    const std::size_t blocks = std::min(STRIP_BLOCKS, blocks_ - block), from = block * CELL, to = from + blocks * CELL;
    float* magnitude = magnitude_.data();
    for (int y = first; y < end; ++y) {
      const auto row = [this, from](int at) {
        auto planes = pixels_.at(at);
        for (auto& plane : planes) plane += static_cast<std::ptrdiff_t>(from) - SHIFT;
        return planes;
      };
      const auto a = row(y - 1), h = row(y), b = row(y + 1);
      const Planes above = {a[0], a[1], a[2]}, here = {h[0], h[1], h[2]}, below = {b[0], b[1], b[2]};
      kernels_.gradients(above, here, below, to - from, earlier_wins_.data() + from, magnitude + from,
                         bin_.data() + from);
      if (from < left) std::fill(magnitude + from, magnitude + left, 0.0F);
      if (to > right) std::fill(magnitude + std::max(from, right), magnitude + to, 0.0F);
      kernels_.scatter(SHARES.weights[(y + SHIFT) % CELL], blocks, magnitude + from, bin_.data() + from,
                       histograms_[0].data() + block * BLOCK_FLOATS);
    }
  }
}

// A row of blocks is complete, and so are the cells above it, the corners above those, and their features.
void Level::close_blocks(Found& found) {
  const int cells = block_row_++ - 1;
  if (cells >= 0) {
    const auto slot = [](int row) { return static_cast<std::size_t>(row % 3); };
    const auto columns = static_cast<std::size_t>(cell_columns_);
    const std::size_t now = slot(cells);
    kernels_.combine(histograms_[0].data(), histograms_[1].data(), columns, cells_[now].data(), energy_[now].data());
    if (cells >= 1) {
      const auto corner = static_cast<std::size_t>(cells % 2);
      kernels_.norms(energy_[slot(cells - 1)].data(), energy_[now].data(), columns - 1, limit_[corner].data(),
                     scale_[corner].data());
      if (cells >= 2) {
        const float* limit[2] = {limit_[1 - corner].data(), limit_[corner].data()};
        const float* scale[2] = {scale_[1 - corner].data(), scale_[corner].data()};
        kernels_.normalise(cells_[slot(cells - 1)].data() + STRIDE, limit, scale, columns - 2, windows_->next_row());
        windows_->push(found);
      }
    }
  }
  std::swap(histograms_[0], histograms_[1]);
  std::fill_n(histograms_[0].data(), histograms_[0].size(), 0.0F);
}

}  // namespace meanface
