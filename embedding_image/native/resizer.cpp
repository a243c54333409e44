#include "resizer.hpp"

#include <algorithm>

namespace meanface {
namespace {

constexpr std::size_t STRIP = 512;  // columns; a multiple of the widest register

}  // namespace

Resizer::Resizer(Size from, Size to, const Kernels& kernels)
    : kernels_(kernels),
      columns_(from.columns, to.columns),
      rows_(rows_of(from.rows, to.rows)),
      strip_(std::min(columns_.padded(), STRIP)),
      spread_(2 * 3 * 2 * strip_) {
  start();
}

int Resizer::ready(int taken) const {
  int row = next_;
  while (row < static_cast<int>(rows_.size()) && rows_[static_cast<std::size_t>(row)].bottom < taken) ++row;
  return row - next_;
}

Neighbours Resizer::neighbours(PixelRows& input, int y, std::size_t from, std::size_t columns) {
  const auto slot = static_cast<std::size_t>(y % 2);
  float* first = spread_.data() + slot * 6 * strip_;
  const Neighbours to = {{first, first + 2 * strip_, first + 4 * strip_},
                         {first + strip_, first + 3 * strip_, first + 5 * strip_}};
  if (spread_rows_[slot] != y) {
    spread_rows_[slot] = y;
    for (std::size_t channel = 0; channel < 3; ++channel)
      kernels_.spread(input.at(y, channel), columns_.base.data() + from / 8, columns_.offset.data() + 2 * from, columns,
                      to.left[channel], to.right[channel]);
  }
  return to;
}

void Resizer::make(int count, PixelRows& input, PixelRows& output) {
  const std::size_t padded = columns_.padded();
  std::size_t from = 0;
  do {
    const std::size_t columns = std::min(strip_, padded - from);
    const bool last = from + columns == padded;
    if (padded > strip_) spread_rows_ = {-1, -1};
    for (int i = next_; i < next_ + count; ++i) {
      const Row& row = rows_[static_cast<std::size_t>(i)];
      const Blend blend{columns,
                        columns_.left_weight.data() + from,
                        columns_.right_weight.data() + from,
                        static_cast<std::size_t>(columns_.vectors) - from,
                        last ? columns_.tail_left.size() : 0,
                        columns_.tail_left.data(),
                        columns_.tail_right.data(),
                        columns_.tail_weight.data(),
                        row.weight};
      const auto top = input.at(row.top), bottom = input.at(row.bottom);
      const Planes top_row = {top[0], top[1], top[2]}, bottom_row = {bottom[0], bottom[1], bottom[2]};
      auto to = output.at(i);
      for (auto& plane : to) plane += from;
      kernels_.blend(blend, neighbours(input, row.top, from, columns), neighbours(input, row.bottom, from, columns),
                     top_row, bottom_row, to.data());
    }
    from += columns;
  } while (from < padded);
  next_ += count;
}

}  // namespace meanface
