// From histograms of blocks to features of cells (Felzenszwalb's HOG, as dlib computes it) and codes.
//
// Everything is eight lanes wide in every instruction set: sums across lanes have one order.
#pragma once
#include "../kernels.hpp"
#include "gradients.hpp"
#include "simd.hpp"

namespace {

using meanface::BLOCK_FLOATS, meanface::SIGNED, meanface::UNSIGNED;

// Eight bins of a cell: in each of four registers two bins, with four parts each.
__m256 sums_of_parts(const __m256 parts[4]) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(parts[0], parts[1]), _mm256_hadd_ps(parts[2], parts[3]));
  return _mm256_permutevar8x32_ps(pairs, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

float sum_of_four(__m128 a) {
  a = _mm_hadd_ps(a, a);
  return _mm_cvtss_f32(_mm_hadd_ps(a, a));
}

// A row of cells from the rows of blocks above and below their centres. A histogram has the 18 signed
// directions, then the 9 unsigned ones; the energy is that of the latter.
void combine(const float* below, const float* above, std::size_t cells, float* histogram, float* energy) {
  float* h = histogram;
  for (std::size_t c = 0; c < cells; ++c, below += BLOCK_FLOATS, above += BLOCK_FLOATS, h += meanface::STRIDE) {
    __m256 parts[12];
#pragma GCC unroll 10
    for (int k = 0; k < 10; ++k) {  // each of the four blocks around it contributes its part
      __m256 part = _mm256_load_ps(below + BLOCK_FLOATS + k * 8);
      part = _mm256_blend_ps(part, _mm256_load_ps(below + k * 8), 0x22);
      part = _mm256_blend_ps(part, _mm256_load_ps(above + BLOCK_FLOATS + k * 8), 0x44);
      parts[k] = _mm256_blend_ps(part, _mm256_load_ps(above + k * 8), 0x88);
    }
    parts[10] = parts[11] = _mm256_setzero_ps();
    for (int k = 0; k < 3; ++k) _mm256_store_ps(h + k * 8, sums_of_parts(parts + k * 4));
  }
  // separate loops, as the values just stored are read at other alignments
  for (std::size_t c = 0; c < cells; ++c) histogram[c * meanface::STRIDE] += histogram[c * meanface::STRIDE + SIGNED];
  h = histogram;
  for (std::size_t c = 0; c < cells; ++c, h += meanface::STRIDE) {
    const __m256 eight = _mm256_add_ps(_mm256_loadu_ps(h), _mm256_loadu_ps(h + UNSIGNED));
    const float ninth = h[UNSIGNED - 1] + h[SIGNED - 1];
    const __m256 squares = _mm256_mul_ps(eight, eight);
    const __m128 halves = _mm_add_ps(_mm256_castps256_ps128(squares), _mm256_extractf128_ps(squares, 1));
    energy[c] = sum_of_four(halves) + ninth * ninth;
    _mm256_storeu_ps(h + SIGNED, eight);
    h[SIGNED + UNSIGNED - 1] = ninth;
    for (int k = SIGNED + UNSIGNED; k < meanface::STRIDE; ++k) h[k] = 0;
  }
}

// For each corner between four cells: the limit of a bin, and the factor after it. With N the norm of the
// four cells' energies, dlib adds min(bin / N, 0.2) / 2 for each of four corners; this computes
// min(bin, 0.2 N) / (2 N).
void norms(const float* above, const float* below, std::size_t corners, float* limit, float* scale) {
  for (std::size_t c = 0; c < corners; c += 8) {
    __m256 sum = _mm256_add_ps(_mm256_loadu_ps(above + c), _mm256_loadu_ps(above + c + 1));
    sum = _mm256_add_ps(_mm256_add_ps(sum, _mm256_loadu_ps(below + c)), _mm256_loadu_ps(below + c + 1));
    const __m256 norm = _mm256_sqrt_ps(_mm256_add_ps(sum, _mm256_set1_ps(0.0001F)));
    const __m256 cut = _mm256_mul_ps(norm, _mm256_set1_ps(0.2F));
    _mm256_storeu_ps(limit + c, cut);
    _mm256_storeu_ps(scale + c, _mm256_div_ps(_mm256_set1_ps(0.1F), cut));
  }
}

// A row of features; `limit` and `scale` are those of the corners above and below the cells.
void normalise(const float* histogram, const float* const limit[2], const float* const scale[2], std::size_t cells,
               float* features) {
  const __m256 two = _mm256_castsi256_ps(_mm256_setr_epi32(-1, -1, 0, 0, 0, 0, 0, 0));  // signed bins of register 2
  for (std::size_t c = 0; c < cells; ++c, histogram += meanface::STRIDE, features += meanface::STRIDE) {
    __m256 bins[4], sums[4], textures[4];
    for (int k = 0; k < 4; ++k) bins[k] = _mm256_load_ps(histogram + k * 8), sums[k] = _mm256_setzero_ps();
#pragma GCC unroll 4
    for (int corner = 0; corner < 4; ++corner) {  // below right, above right, below left, above left
      const int row = 1 - corner % 2;
      const std::size_t column = c + 1 - static_cast<std::size_t>(corner / 2);
      const __m256 cut = _mm256_set1_ps(limit[row][column]), factor = _mm256_set1_ps(scale[row][column]);
      __m256 part[4];
      for (int k = 0; k < 4; ++k) {
        part[k] = _mm256_mul_ps(_mm256_min_ps(bins[k], cut), factor);
        sums[k] = _mm256_add_ps(sums[k], part[k]);
      }
      textures[corner] = _mm256_add_ps(_mm256_add_ps(part[0], part[1]), _mm256_and_ps(part[2], two));
    }
    const __m256 halves = _mm256_hadd_ps(_mm256_hadd_ps(textures[0], textures[1]),
                                         _mm256_hadd_ps(textures[2], textures[3]));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
    const __m256 texture = _mm256_castps128_ps256(_mm_mul_ps(four, _mm_set1_ps(2 * 0.2357F)));
    const __m256 placed = _mm256_permutevar8x32_ps(texture, _mm256_setr_epi32(0, 0, 0, 0, 1, 2, 3, 0));
    sums[3] = _mm256_blend_ps(sums[3], placed, 0x78);
    for (int k = 0; k < 4; ++k) _mm256_store_ps(features + k * 8, sums[k]);
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
