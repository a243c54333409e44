#include "detector.hpp"

#include <algorithm>
#include <vector>

#include "upsampling.hpp"

namespace meanface {

struct Detector::Pyramid {
  Size photo;
  Upsampling upsampling;
  std::vector<std::unique_ptr<Level>> levels;

  Pyramid(Size size, int doublings, const Kernels& kernels, const Model& model)
      : photo(size), upsampling(size, doublings, kernels), levels(make(upsampling.size(), kernels, model)) {}

  static std::vector<std::unique_ptr<Level>> make(Size first, const Kernels& kernels, const Model& model) {
    const std::vector<Size> sizes = pyramid_of(first);
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
    pyramid_.reset(new Pyramid(photo, doublings_, kernels_, model_));
  return *pyramid_;
}

bool Detector::possible(Size photo) const {
  const int largest = LARGEST >> std::max(doublings_ - 1, 0);
  const auto side = [largest](int pixels) { return pixels > 0 && pixels <= largest; };
  return side(photo.rows) && side(photo.columns);
}

void Detector::look(const std::uint8_t* rgb, Size photo, const Search& search, Found& found) {
  Pyramid& pyramid = fit(photo);
  pyramid.upsampling.start();
  for (auto& level : pyramid.levels) level->start(search);
  for (int y = 0; y < photo.rows; ++y) {
    pyramid.upsampling.push(rgb, *pyramid.levels.front(), found);
    rgb += std::size_t{3} * static_cast<std::size_t>(photo.columns);
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
