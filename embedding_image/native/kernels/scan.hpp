// Coarse scores of all windows, in integers, and exact scores of the candidates.
#pragma once
#include "../kernels.hpp"
#include "simd.hpp"

namespace {

#if defined(__AVX512VNNI__) || defined(__aarch64__)
constexpr int BAND = 4;  // 4 x 5 sums, 4 registers of codes and one of weights: of 32
#else
constexpr int BAND = 2;  // 2 x 5 sums of COLUMNS_SUMMED columns: of 16
#endif
static_assert(BAND <= meanface::LARGEST_BAND);

// Coarse scores of a band of rows, one register of columns wide. Each weight is read once for the whole band.
void scan_tile(const meanface::Coarse& coarse, const std::uint8_t* const* rows, std::size_t pitch, std::size_t column,
               Int result[BAND][meanface::FILTERS]) {
  Int sums[BAND][meanface::FILTERS];  // local, so that they can stay in registers
  for (int b = 0; b < BAND; ++b)
    for (int f = 0; f < meanface::FILTERS; ++f) sums[b][f] = zero();
  for (int row = 0; row < meanface::WINDOW; ++row) {
    for (int group = 0; group < meanface::CODE_GROUPS; ++group) {
      const std::uint8_t* from[BAND];
      for (int b = 0; b < BAND; ++b)
        from[b] = rows[row + b] + static_cast<std::size_t>(group) * pitch + column * meanface::CODE_GROUP;
#pragma GCC unroll 2
      for (int first = 0; first < meanface::WINDOW; first += meanface::COLUMNS_SUMMED) {
        Int parts[BAND][meanface::FILTERS];
        for (int b = 0; b < BAND; ++b)
          for (int f = 0; f < meanface::FILTERS; ++f) parts[b][f] = begun(sums[b][f]);
#pragma GCC unroll 5
        for (int c = first; c < first + meanface::COLUMNS_SUMMED; ++c) {
          Int codes[BAND];
#pragma GCC unroll 4
          for (int b = 0; b < BAND; ++b) codes[b] = load(static_cast<const void*>(from[b] + c * meanface::CODE_GROUP));
#pragma GCC unroll 5
          for (int f = 0; f < meanface::FILTERS; ++f) {
            const Int weights = splat32(coarse.weights[row][group][c][f]);
#pragma GCC unroll 4
            for (int b = 0; b < BAND; ++b) parts[b][f] = add_products(parts[b][f], codes[b], weights);
          }
        }
        for (int b = 0; b < BAND; ++b)
          for (int f = 0; f < meanface::FILTERS; ++f) sums[b][f] = finished(sums[b][f], parts[b][f]);
      }
    }
  }
  for (int b = 0; b < BAND; ++b)
    for (int f = 0; f < meanface::FILTERS; ++f) result[b][f] = sums[b][f];
}

// Finds windows of a band whose coarse score is at least their filter's limit; returns their number.
std::size_t scan(const meanface::Coarse& coarse, const std::uint8_t* const* rows, std::size_t pitch, int columns,
                 const std::int32_t limit[meanface::FILTERS], meanface::Candidate* found) {
  constexpr int TILE = static_cast<int>(FLOATS);
  std::size_t count = 0;
  for (int column = 0; column < columns; column += TILE) {
    const unsigned inside = columns - column >= TILE ? ~0U : (1U << (columns - column)) - 1;
    Int sums[BAND][meanface::FILTERS];
    scan_tile(coarse, rows, pitch, static_cast<std::size_t>(column), sums);
    for (int b = 0; b < BAND; ++b) {
      for (int f = 0; f < meanface::FILTERS; ++f) {
        unsigned hits = at_least(sums[b][f], splat32(limit[f])) & inside;
        if (!hits) continue;
        alignas(64) std::int32_t lanes[TILE];
        store(static_cast<void*>(lanes), sums[b][f]);
        for (; hits; hits &= hits - 1) {
          const int lane = __builtin_ctz(hits);
          found[count++] = {f, b, column + lane, lanes[lane]};
        }
      }
    }
  }
  return count;
}

// The response of one filter in one window; `rows` begin at the window's left column. Eight lanes wide in
// every instruction set, so that all give the same bits.
float score(const float* const rows[meanface::WINDOW], const float* filter) {
  constexpr int SUMS = 8, ROW = meanface::WINDOW * meanface::STRIDE;
  Eight sums[SUMS];
  for (Eight& sum : sums) sum = splat8(0);
  for (int row = 0; row < meanface::WINDOW; ++row, filter += ROW)
    for (int c = 0; c < ROW; c += 8 * SUMS)
      for (int k = 0; k < SUMS; ++k)
        sums[k] = multiply_add(load8(rows[row] + c + 8 * k), load8(filter + c + 8 * k), sums[k]);
  for (int half = SUMS / 2; half; half /= 2)
    for (int k = 0; k < half; ++k) sums[k] = add(sums[k], sums[k + half]);
  return sum_of_halves(sums[0]);
}

}  // namespace
