#include "upsampling.hpp"

#include <algorithm>

namespace meanface {
namespace {

constexpr int AT_ONCE = CELL / 2;  // rows, which are doubled to a row of blocks

}  // namespace

Upsampling::Upsampling(Size photo, int times, const Kernels& kernels) : kernels_(kernels), photo_(photo), size_(photo) {
  for (int i = 0; i < times; ++i) {
    const Size from = size_;
    size_ = doubled(from);
    doublings_.push_back({PixelRows(from.columns), 0, Resizer(from, size_, kernels)});
  }
}

void Upsampling::start() {
  for (Doubling& doubling : doublings_) doubling.taken = 0, doubling.resizer.start();
}

void Upsampling::push(const std::uint8_t* rgb, Level& first, Found& found) {
  const auto columns = static_cast<std::size_t>(photo_.columns);
  if (doublings_.empty()) {
    kernels_.split(rgb, columns, first.next_row().data());
    first.push(found);
    return;
  }
  Doubling& doubling = doublings_.front();
  kernels_.split(rgb, columns, doubling.rows.at(doubling.taken).data());
  ++doubling.taken;
  if (doubling.taken % AT_ONCE == 0 || doubling.taken == photo_.rows) advance(0, first, found);
}

void Upsampling::advance(std::size_t number, Level& first, Found& found) {
  Doubling& doubling = doublings_[number];
  if (number + 1 == doublings_.size()) {
    first.take(doubling.resizer, doubling.rows, doubling.taken, found);
    return;
  }
  Doubling& next = doublings_[number + 1];
  while (const int ready = doubling.resizer.ready(doubling.taken)) {
    const int count = std::min(ready, AT_ONCE);
    doubling.resizer.make(count, doubling.rows, next.rows);
    next.taken += count;
    advance(number + 1, first, found);
  }
}

}  // namespace meanface
