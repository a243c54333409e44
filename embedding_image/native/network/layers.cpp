#include "layers.hpp"

#include <algorithm>
#include <utility>

#include "packing.hpp"

namespace meanface {
namespace {

constexpr std::size_t LARGEST_KEPT = 64;      // channels of filters that are kept transformed
constexpr std::size_t CHANNELS_AT_ONCE = 32;  // of filters that are transformed when they are used
constexpr std::size_t FEW_TILES = 4;          // for which filters are not transformed in memory
constexpr std::size_t MOST_TILES = 64, MOST_CHANNELS = 256;

// After each row of a point, so that points are not a multiple of 4 KiB apart.
constexpr std::size_t GAP = 16;

std::size_t tiles_at_once(std::size_t channels) {
  if (channels < LARGEST_KEPT) return 24;
  if (channels == LARGEST_KEPT) return 25;  // all of a chip
  return channels < MOST_CHANNELS ? 32 : MOST_TILES;
}

std::size_t point_of_transformed(const NetworkKernels& kernels) { return CHANNELS_AT_ONCE * kernels.panel + GAP; }

}  // namespace

Scratch::Scratch(const NetworkKernels& kernels)
    : points(2 * TILE_POINTS * (MOST_TILES * MOST_CHANNELS + GAP)),
      transformed(TILE_POINTS * point_of_transformed(kernels)) {}

TiledLayer::TiledLayer(const NetworkKernels& kernels, const RawFilters& raw)
    : kernels_(kernels),
      channels_(raw.outputs),
      transforming_(raw.outputs > LARGEST_KEPT),
      filters_(packed(raw.outputs, raw.inputs, FILTER, kernels.panel,
                      [&raw](std::size_t k, std::size_t c, std::size_t tap) { return raw.filter(k, c, tap); })),
      biases_(copied(raw.biases, raw.outputs)) {
  if (transforming_) return;
  const std::size_t point = channels_ * channels_;
  Buffer<float> transformed(TILE_POINTS * point);
  for (std::size_t k = 0; k < channels_; k += kernels.panel) {
    const std::size_t panel = k * channels_;
    kernels.transform_filters(filters_.data() + panel * FILTER, channels_, transformed.data() + panel, point);
  }
  filters_ = std::move(transformed);
}

void TiledLayer::run(const Images& in, const Images& out, std::size_t chips, bool shortcut, Scratch& scratch) const {
  const std::size_t side = round_up(in.size, OUTPUT_TILE) / OUTPUT_TILE, tiles = chips * side * side;
  const std::size_t at_once = std::min(tiles, tiles_at_once(channels_)), point = at_once * channels_ + GAP;
  for (std::size_t first = 0; first < tiles; first += at_once) {
    const std::size_t count = std::min(at_once, tiles - first);
    scratch.inputs.clear();
    scratch.tiles.clear();
    for (std::size_t tile = first; tile < first + count; ++tile) {
      const std::size_t chip = tile / (side * side);
      const std::size_t y = tile / side % side * OUTPUT_TILE, x = tile % side * OUTPUT_TILE;
      scratch.inputs.push_back(in.corner(chip, y, x));
      scratch.tiles.push_back({out.at(chip, y, x), in.size - y, in.size - x});
    }
    float* const transformed = scratch.points.data() + (transforming_ ? TILE_POINTS : 1) * point;
    kernels_.transform_tiles(scratch.inputs.data(), count, in.row, channels_, transformed, point);
    if (transforming_)
      multiply_transforming(count, point, scratch);
    else
      multiply(count, point, scratch);
    const TileSums sums = {scratch.points.data(), point, count, channels_, biases_.data(), out.row, shortcut};
    kernels_.finish_tiles(sums, scratch.tiles.data());
  }
}

// The products of a point replace the inputs of the point before: so they need half the cache.
void TiledLayer::multiply(std::size_t tiles, std::size_t point, Scratch& scratch) const {
  for (std::size_t i = 0; i < TILE_POINTS; ++i) {
    float* const sums = scratch.points.data() + i * point;
    for (std::size_t k = 0; k < channels_; k += kernels_.panel) {
      kernels_.multiply({sums + point, 0, channels_, filters_.data() + (i * channels_ + k) * channels_, 0, sums + k, 0,
                         channels_, 1, tiles, channels_, false});
    }
  }
}

void TiledLayer::multiply_transforming(std::size_t tiles, std::size_t point, Scratch& scratch) const {
  const float* const inputs = scratch.points.data() + TILE_POINTS * point;
  const std::size_t filter_point = point_of_transformed(kernels_);
  const float* filters = filters_.data();
  for (std::size_t k = 0; k < channels_; k += kernels_.panel) {
    for (std::size_t c = 0; c < channels_; c += CHANNELS_AT_ONCE) {
      Products products = {inputs + c, point, channels_, filters, 0, scratch.points.data() + k, point, channels_,
                           TILE_POINTS, tiles, CHANNELS_AT_ONCE, c > 0};
      if (tiles <= FEW_TILES) {
        kernels_.multiply_few(products);
      } else {
        kernels_.transform_filters(filters, CHANNELS_AT_ONCE, scratch.transformed.data(), filter_point);
        products.filters = scratch.transformed.data();
        products.filter_point = filter_point;
        kernels_.multiply(products);
      }
      filters += CHANNELS_AT_ONCE * FILTER * kernels_.panel;
    }
  }
}

DirectLayer::DirectLayer(const NetworkKernels& kernels, const RawFilters& raw, Kind kind)
    : kernels_(kernels),
      inputs_(raw.inputs),
      outputs_(raw.outputs),
      side_(kind == Kind::CENTRE ? 1 : 3),
      biases_(copied(raw.biases, raw.outputs)) {
  const std::size_t first = kind == Kind::CENTRE ? FILTER / 2 : 0;
  const auto at = [&](std::size_t k, std::size_t tap, std::size_t c) { return raw.filter(k, c, first + tap); };
  filters_ = packed(raw.outputs, side_ * side_, raw.inputs, kernels.panel, at);
}

void DirectLayer::run(const Images& in, const Images& out, std::size_t chips, bool shortcut, Scratch& scratch) const {
  const std::size_t stride = 2, size = side_ == 1 ? 1 : output_size(in.size);
  scratch.inputs.clear();
  scratch.outputs.clear();
  for (std::size_t chip = 0; chip < chips; ++chip) {
    for (std::size_t y = 0; y < size; ++y) {
      for (std::size_t x = 0; x < size; ++x) {
        scratch.inputs.push_back(in.at(chip, y * stride, x * stride));
        scratch.outputs.push_back(out.at(chip, y, x));
      }
    }
  }
  kernels_.convolve({side_, side_ * inputs_, in.row, filters_.data(), biases_.data(), outputs_, shortcut},
                    scratch.inputs.data(), scratch.outputs.data(), scratch.inputs.size());
}

void average(const NetworkKernels& kernels, const Images& in, const Images& out, std::size_t chips) {
  for (std::size_t chip = 0; chip < chips; ++chip) {
    for (std::size_t y = 0; y < in.size / 2; ++y) {
      const float* rows[2] = {in.at(chip, 2 * y, 0), in.at(chip, 2 * y + 1, 0)};
      kernels.average(rows, in.size / 2, in.channels, out.at(chip, y, 0), out.channels);
    }
  }
}

}  // namespace meanface
