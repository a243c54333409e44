// The vectorised functions, as a table that is compiled once for each instruction set.
//
// kernels/kernels.cpp is compiled with the flags of one instruction set. It must not use templates or
// inline functions of the standard library: the linker keeps one copy of each for the whole extension,
// which could have instructions that this CPU lacks. So this header has plain pointers and types only.
//
// All tables give the same bits: floats are computed in the same order, eight lanes wide; only integer
// code uses registers of the set's own width.
#pragma once
#include <cstddef>
#include <cstdint>

#include "geometry.hpp"

namespace meanface {

using Planes = const std::uint8_t*[3];  // one row of pixels, by channel

// Left and right neighbours of each output column in one row of input pixels, by channel.
struct Neighbours {
  float *left[3], *right[3];
};

// Parameters for one output row from two input rows.
struct Blend {
  std::size_t columns;  // of the float part, in whole registers
  const float *left_weight, *right_weight;
  std::size_t vectors, tail;  // output columns of the float part, and of the double part after it
  const std::int32_t *tail_left, *tail_right;
  const double* tail_weight;
  double bottom_weight;
};

// Filters for the coarse scan.
struct Coarse {
  // 4 weights (int8) for the 4 codes of a group, in order of use: by row of the window, group, column of
  // the window, filter
  std::int32_t weights[WINDOW][CODE_GROUPS][WINDOW][FILTERS];
  alignas(64) float projection[STRIDE][16];  // features to codes, with zeros beyond CODES
};

// A window whose coarse score reached the limit.
struct Candidate {
  int filter, row, column;
  std::int32_t coarse;
};

constexpr int LARGEST_BAND = 4;

struct Kernels {
  const char* name;
  int band;  // rows of windows that `scan` processes together

  // resize.hpp
  void (*split)(const std::uint8_t* rgb, std::size_t columns, std::uint8_t* const planes[3]);
  void (*spread)(const std::uint8_t* row, const std::int32_t* base, const std::uint8_t* offset, std::size_t columns,
                 float* left, float* right);
  void (*blend)(const Blend&, const Neighbours& top, const Neighbours& bottom, const Planes& top_row,
                const Planes& bottom_row, std::uint8_t* const output[3]);

  // gradients.hpp
  void (*gradients)(const Planes& above, const Planes& here, const Planes& below, std::size_t columns,
                    const std::uint16_t* earlier_wins, float* magnitude, std::uint16_t* bin);
  void (*scatter)(const float weights[CELL][4], std::size_t blocks, const float* magnitude, const std::uint16_t* bin,
                  float* histograms);

  // cells.hpp
  void (*combine)(const float* below, const float* above, std::size_t cells, float* histogram, float* energy);
  void (*norms)(const float* above, const float* below, std::size_t corners, float* limit, float* scale);
  void (*normalise)(const float* histogram, const float* const limit[2], const float* const scale[2],
                    std::size_t cells, float* features);
  void (*encode)(const Coarse&, const float* features, std::size_t cells, std::size_t pitch, std::uint8_t* codes);

  // scan.hpp
  std::size_t (*scan)(const Coarse&, const std::uint8_t* const* rows, std::size_t pitch, int columns,
                      const std::int32_t limit[FILTERS], Candidate* found);
  float (*score)(const float* const rows[WINDOW], const float* filter);
};

extern const Kernels AVX2_KERNELS;
extern const Kernels AVX512_KERNELS;
extern const Kernels NEON_KERNELS;
extern const Kernels DOTPROD_KERNELS;  // NEON with its dot products of bytes

}  // namespace meanface
