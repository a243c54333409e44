#include "windows.hpp"

#include <algorithm>
#include <cmath>

namespace meanface {
namespace {

constexpr int AROUND = PADDING_BEFORE + PADDING_AFTER;

}  // namespace

Windows::Windows(int level, int rows, int columns, const Kernels& kernels, const Model& model)
    : kernels_(kernels),
      model_(model),
      level_(level),
      rows_(rows),
      columns_(columns),
      held_(kernels.band + WINDOW - 1),
      feature_pitch_(static_cast<std::size_t>(columns + AROUND) * STRIDE),
      code_pitch_(round_up(static_cast<std::size_t>(columns + AROUND) * CODE_GROUP, SLACK) + SLACK),
      features_(static_cast<std::size_t>(held_) * feature_pitch_),
      codes_(static_cast<std::size_t>(held_) * CODE_GROUPS * code_pitch_),
      candidates_(static_cast<std::size_t>(kernels.band * FILTERS) * static_cast<std::size_t>(columns)) {
  std::fill_n(codes_.data(), codes_.size(), CODE_ZERO);  // the zeros on both sides stay
}

void Windows::start(const Search& search) {
  search_ = search;
  for (int f = 0; f < FILTERS; ++f)
    limit_[f] = model_.coarse_limit(f, model_.threshold(f) + search.adjust - search.margin);
  pushed_ = scanned_ = 0;
  for (int i = 0; i < PADDING_BEFORE; ++i) push_zeros();
}

float* Windows::next_row() { return features(pushed_) + PADDING_BEFORE * STRIDE; }

void Windows::push(Found& found) {
  const auto cells = static_cast<std::size_t>(columns_);
  if (found.features)
    for (const float *cell = next_row(), *end = cell + cells * STRIDE; cell < end; cell += STRIDE)
      found.features->insert(found.features->end(), cell, cell + CHANNELS);
  kernels_.encode(model_.coarse(), next_row(), cells, code_pitch_, codes(pushed_) + PADDING_BEFORE * CODE_GROUP);
  ++pushed_;
  if (pushed_ - scanned_ == held_) scan(found);
}

void Windows::push_zeros() {
  std::fill_n(features(pushed_), feature_pitch_, 0.0F);
  std::fill_n(codes(pushed_), CODE_GROUPS * code_pitch_, CODE_ZERO);
  ++pushed_;
}

void Windows::finish(Found& found) {
  for (int i = 0; i < PADDING_AFTER; ++i) {
    push_zeros();
    if (pushed_ - scanned_ == held_) scan(found);
  }
  if (scanned_ < rows_) scan(found);  // a band beyond the last row; windows there are ignored
}

void Windows::scan(Found& found) {
  const std::uint8_t* rows[LARGEST_BAND + WINDOW - 1];
  for (int i = 0; i < held_; ++i) rows[i] = codes(scanned_ + i);
  const std::size_t count =
      kernels_.scan(model_.coarse(), rows, code_pitch_, columns_, limit_, candidates_.data());
  for (std::size_t i = 0; i < count; ++i)
    if (scanned_ + candidates_[i].row < rows_) consider(candidates_[i], found);
  scanned_ += kernels_.band;
}

void Windows::consider(const Candidate& candidate, Found& found) {
  const int row = scanned_ + candidate.row, f = candidate.filter;
  const float* rows[WINDOW];
  for (int i = 0; i < WINDOW; ++i) rows[i] = features(row + i) + candidate.column * STRIDE;
  const double threshold = model_.threshold(f);
  const double score = kernels_.score(rows, model_.filter(f)) - threshold;
  if (std::abs(score - search_.adjust) < search_.tolerance) found.certain = false;
  if (score < search_.adjust) return;
  const double coarse = model_.coarse_score(f, candidate.coarse) - threshold;
  // The margin is empirical: if a detection needed half of it, the coarse scan is not trusted.
  if (score - coarse > search_.margin / 2) found.certain = false;
  found.windows.push_back({score, coarse, f, box_of(level_, row, candidate.column)});
}

}  // namespace meanface
