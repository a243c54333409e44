#include "resizer.hpp"

namespace meanface {

Resizer::Resizer(Size from, Size to, const Kernels& kernels)
    : kernels_(kernels),
      columns_(from.columns, to.columns),
      rows_(rows_of(from.rows, to.rows)),
      spread_(2 * 3 * 2 * columns_.padded()) {}

Neighbours Resizer::neighbours(int y) {
  const std::size_t width = columns_.padded();
  float* first = spread_.data() + static_cast<std::size_t>(y % 2) * 6 * width;
  return {{first, first + 2 * width, first + 4 * width}, {first + width, first + 3 * width, first + 5 * width}};
}

void Resizer::take(PixelRows& input, int y) {
  input_ = &input, taken_ = y;
  const Neighbours to = neighbours(y);
  for (std::size_t channel = 0; channel < 3; ++channel)
    kernels_.spread(input.at(y, channel), columns_.base.data(), columns_.offset.data(), columns_.padded(),
                    to.left[channel], to.right[channel]);
}

bool Resizer::ready() const { return next_ < rows_.size() && rows_[next_].bottom <= taken_; }

void Resizer::make(const std::array<std::uint8_t*, 3>& output) {
  const Row& row = rows_[next_++];
  const Blend blend{columns_.padded(),
                    columns_.left_weight.data(),
                    columns_.right_weight.data(),
                    static_cast<std::size_t>(columns_.vectors),
                    columns_.tail_left.size(),
                    columns_.tail_left.data(),
                    columns_.tail_right.data(),
                    columns_.tail_weight.data(),
                    row.weight};
  const auto top = input_->at(row.top), bottom = input_->at(row.bottom);
  const Planes top_row = {top[0], top[1], top[2]}, bottom_row = {bottom[0], bottom[1], bottom[2]};
  kernels_.blend(blend, neighbours(row.top), neighbours(row.bottom), top_row, bottom_row, output.data());
}

}  // namespace meanface
