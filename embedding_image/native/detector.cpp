#include "detector.hpp"

#include <vector>

namespace meanface {

struct Detector::Pyramid {
  Size photo;
  PixelRows rows;  // the photo's, as planes
  std::vector<std::unique_ptr<Level>> levels;
  Resizer doubling;

  Pyramid(Size size, const Kernels& kernels, const Model& model)
      : photo(size), rows(size.columns), levels(make(size, kernels, model)),
        doubling(size, levels.front()->size(), kernels) {}

  static std::vector<std::unique_ptr<Level>> make(Size photo, const Kernels& kernels, const Model& model) {
    const std::vector<Size> sizes = pyramid_of(photo);
    std::vector<std::unique_ptr<Level>> levels(sizes.size());
    for (std::size_t i = sizes.size(); i-- > 0;) {  // the smallest first, as each refers to the next
      Level* next = i + 1 < sizes.size() ? levels[i + 1].get() : nullptr;
      levels[i] = std::make_unique<Level>(static_cast<int>(i), sizes[i], next, kernels, model);
    }
    return levels;
  }
};

void Detector::Drop::operator()(Pyramid* pyramid) const { delete pyramid; }

Detector::Pyramid& Detector::fit(Size photo) {
  if (!pyramid_ || pyramid_->photo.rows != photo.rows || pyramid_->photo.columns != photo.columns)
    pyramid_.reset(new Pyramid(photo, kernels_, model_));
  return *pyramid_;
}

namespace {

bool possible(Size photo) {
  const auto side = [](int pixels) { return pixels > 0 && pixels <= LARGEST; };
  return side(photo.rows) && side(photo.columns);
}

}  // namespace

void Detector::look(const std::uint8_t* rgb, Size photo, const Search& search, Found& found) {
  Pyramid& pyramid = fit(photo);
  Level& first = *pyramid.levels.front();
  pyramid.doubling.start();
  for (auto& level : pyramid.levels) level->start(search);
  constexpr int AT_ONCE = CELL / 2;  // rows, which give a row of blocks
  for (int y = 0; y < photo.rows;) {
    kernels_.split(rgb, static_cast<std::size_t>(photo.columns), pyramid.rows.at(y).data());
    rgb += std::size_t{3} * static_cast<std::size_t>(photo.columns);
    ++y;
    if (y % AT_ONCE == 0 || y == photo.rows) first.take(pyramid.doubling, pyramid.rows, y, found);
  }
  for (auto& level : pyramid.levels) level->finish(found);
}

Faces Detector::find(const std::uint8_t* rgb, Size photo, const Search& search) {
  if (!possible(photo)) return {{}, false};
  Found found;
  look(rgb, photo, search, found);
  Faces faces = suppress(std::move(found.windows), model_.overlap(), search.tolerance);
  faces.certain &= found.certain;
  return faces;
}

std::vector<float> Detector::features(const std::uint8_t* rgb, Size photo) {
  std::vector<float> features;
  Found found;
  found.features = &features;
  if (possible(photo)) look(rgb, photo, {}, found);
  return features;
}

}  // namespace meanface
