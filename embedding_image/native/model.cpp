#include "model.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace meanface {
namespace {

// Whether the products of each two codes, summed over COLUMNS_SUMMED columns, fit in 16 bits for all codes.
bool fits(const std::int8_t* coarse) {
  constexpr int PAIR = 2, MOST = std::numeric_limits<std::int16_t>::max() / LARGEST_CODE;
  for (int first = 0; first < FILTERS * WINDOW * WINDOW; first += COLUMNS_SUMMED) {
    for (int code = 0; code < CODES; code += PAIR) {
      int positive = 0, negative = 0;
      for (int column = first; column < first + COLUMNS_SUMMED; ++column) {
        for (int k = 0; k < PAIR; ++k) {
          const int weight = coarse[column * CODES + code + k];
          (weight > 0 ? positive : negative) += weight;
        }
      }
      if (positive > MOST || negative < -MOST) return false;
    }
  }
  return true;
}

}  // namespace

Model::Model(const Weights& weights)
    : filters_(std::size_t{FILTERS} * WINDOW * WINDOW * STRIDE), zeros_{}, coarse_(1), overlap_(weights.overlap) {
  if (!fits(weights.coarse)) throw std::invalid_argument("the detector's coarse weights are too large");
  Coarse& coarse = coarse_[0];
  const float* from = weights.filters;
  for (int f = 0; f < FILTERS; ++f)
    for (int channel = 0; channel < CHANNELS; ++channel)
      for (int cell = 0; cell < WINDOW * WINDOW; ++cell)
        filters_[static_cast<std::size_t>((f * WINDOW * WINDOW + cell) * STRIDE + channel)] = *from++;

  for (int code = 0; code < CODES; ++code)
    for (int channel = 0; channel < CHANNELS; ++channel)
      coarse.projection[channel][code] = weights.projection[code * CHANNELS + channel];

  const std::int8_t* four = weights.coarse;
  for (std::size_t f = 0; f < FILTERS; ++f) {
    thresholds_[f] = weights.thresholds[f], units_[f] = weights.units[f];
    for (int row = 0; row < WINDOW; ++row) {
      for (int column = 0; column < WINDOW; ++column) {
        for (int group = 0; group < CODE_GROUPS; ++group, four += CODE_GROUP) {
          std::memcpy(&coarse.weights[row][group][column][f], four, CODE_GROUP);
          for (int k = 0; k < CODE_GROUP; ++k) zeros_[f] += CODE_ZERO * four[k];
        }
      }
    }
  }
}

std::int32_t Model::coarse_limit(int f, double score) const {
  const auto i = static_cast<std::size_t>(f);
  const double sum = std::floor(score / units_[i]) + zeros_[i];
  constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t highest = std::numeric_limits<std::int32_t>::max();
  return sum <= lowest ? lowest : sum >= highest ? highest : static_cast<std::int32_t>(sum);
}

double Model::coarse_score(int f, std::int32_t sum) const {
  const auto i = static_cast<std::size_t>(f);
  return (static_cast<double>(sum) - zeros_[i]) * units_[i];
}

}  // namespace meanface
