// From histograms of blocks to features of cells (Felzenszwalb's HOG, as dlib computes it) and codes.
//
// Sums across lanes are those of `Eight`: they have one order in every instruction set.
#pragma once
#include "../kernels.hpp"
#include "gradients.hpp"
#include "simd.hpp"

namespace {

using meanface::BLOCK_FLOATS, meanface::SIGNED, meanface::UNSIGNED;

// A row of cells from the rows of blocks above and below their centres. A histogram has the 18 signed
// directions, then the 9 unsigned ones; the energy is that of the latter.
void combine(const float* below, const float* above, std::size_t cells, float* histogram, float* energy) {
  float* h = histogram;
  for (std::size_t c = 0; c < cells; ++c, below += BLOCK_FLOATS, above += BLOCK_FLOATS, h += meanface::STRIDE) {
    Eight parts[12];  // in each two bins, with four parts each
#pragma GCC unroll 10
    for (int k = 0; k < 10; ++k) {  // each of the four blocks around it contributes its part
      parts[k] = one_of_each(load8(below + BLOCK_FLOATS + k * 8), load8(below + k * 8),
                             load8(above + BLOCK_FLOATS + k * 8), load8(above + k * 8));
    }
    parts[10] = parts[11] = splat8(0);
    for (int k = 0; k < 12; k += 4)
      store(h + k * 2, sums_of_fours(parts[k], parts[k + 1], parts[k + 2], parts[k + 3]));
  }
  // separate loops, as the values just stored are read at other alignments
  for (std::size_t c = 0; c < cells; ++c) histogram[c * meanface::STRIDE] += histogram[c * meanface::STRIDE + SIGNED];
  h = histogram;
  for (std::size_t c = 0; c < cells; ++c, h += meanface::STRIDE) {
    const Eight eight = add(load8(h), load8(h + UNSIGNED));
    const float ninth = h[UNSIGNED - 1] + h[SIGNED - 1];
    energy[c] = sum_of_halves(multiply(eight, eight)) + ninth * ninth;
    store(h + SIGNED, eight);
    h[SIGNED + UNSIGNED - 1] = ninth;
    for (int k = SIGNED + UNSIGNED; k < meanface::STRIDE; ++k) h[k] = 0;
  }
}

// For each corner between four cells: the limit of a bin, and the factor after it. With N the norm of the
// four cells' energies, dlib adds min(bin / N, 0.2) / 2 for each of four corners; this computes
// min(bin, 0.2 N) / (2 N).
void norms(const float* above, const float* below, std::size_t corners, float* limit, float* scale) {
  for (std::size_t c = 0; c < corners; c += FLOATS) {
    Float sum = add(load(above + c), load(above + c + 1));
    sum = add(add(sum, load(below + c)), load(below + c + 1));
    const Float cut = multiply(root(add(sum, splat(0.0001F))), splat(0.2F));
    store(limit + c, cut);
    store(scale + c, divide(splat(0.1F), cut));
  }
}

// A row of features; `limit` and `scale` are those of the corners above and below the cells.
void normalise(const float* histogram, const float* const limit[2], const float* const scale[2], std::size_t cells,
               float* features) {
  alignas(32) constexpr float FIRST_TWO[8] = {1, 1};
  const Eight signed_bins = load8(FIRST_TWO);  // of the third register
  for (std::size_t c = 0; c < cells; ++c, histogram += meanface::STRIDE, features += meanface::STRIDE) {
    Eight bins[4], sums[4], textures[4];
    for (int k = 0; k < 4; ++k) bins[k] = load8(histogram + k * 8), sums[k] = splat8(0);
#pragma GCC unroll 4
    for (int corner = 0; corner < 4; ++corner) {  // below right, above right, below left, above left
      const int row = 1 - corner % 2;
      const std::size_t column = c + 1 - static_cast<std::size_t>(corner / 2);
      const Eight cut = splat8(limit[row][column]), factor = splat8(scale[row][column]);
      Eight part[4];
      for (int k = 0; k < 4; ++k) {
        part[k] = multiply(minimum(bins[k], cut), factor);
        sums[k] = add(sums[k], part[k]);
      }
      textures[corner] = multiply_add(part[2], signed_bins, add(part[0], part[1]));
    }
    for (int k = 0; k < 4; ++k) store(features + k * 8, sums[k]);
    const Four texture = sums_of_eights(textures[0], textures[1], textures[2], textures[3]);
    store(features + SIGNED + UNSIGNED, multiply(texture, splat4(2 * 0.2357F)));
  }
}

// Projects a row of features to codes, two cells at a time, so it may read and write one more. The codes of
// a group are together; groups are `pitch` bytes apart.
void encode(const meanface::Coarse& coarse, const float* features, std::size_t cells, std::size_t pitch,
            std::uint8_t* codes) {
  constexpr std::size_t LANES = 16;
  for (std::size_t c = 0; c < cells; c += 2, features += 2 * meanface::STRIDE, codes += 2 * meanface::CODE_GROUP) {
    const float* next = features + meanface::STRIDE;
    alignas(16) std::uint8_t code[2][LANES];
    for (std::size_t lane = 0; lane < LANES; lane += FLOATS) {
      Float even = splat(meanface::CODE_ZERO), odd = splat(0), next_even = even, next_odd = odd;
#pragma GCC unroll 16
      for (int k = 0; k < meanface::STRIDE; k += 2) {
        const Float one = load(coarse.projection[k] + lane), other = load(coarse.projection[k + 1] + lane);
        even = multiply_add(splat(features[k]), one, even);
        odd = multiply_add(splat(features[k + 1]), other, odd);
        next_even = multiply_add(splat(next[k]), one, next_even);
        next_odd = multiply_add(splat(next[k + 1]), other, next_odd);
      }
      store_rounded_codes(code[0] + lane, add(even, odd));
      store_rounded_codes(code[1] + lane, add(next_even, next_odd));
    }
    for (std::size_t group = 0; group < meanface::CODE_GROUPS; ++group) {
      std::memcpy(codes + group * pitch, code[0] + group * meanface::CODE_GROUP, meanface::CODE_GROUP);
      std::memcpy(codes + group * pitch + meanface::CODE_GROUP, code[1] + group * meanface::CODE_GROUP,
                  meanface::CODE_GROUP);
    }
  }
}

}  // namespace
