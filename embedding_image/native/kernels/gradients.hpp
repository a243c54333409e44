// Gradients of a row of pixels, shifted like the blocks, added to the histograms of blocks.
#pragma once
#include "../kernels.hpp"
#include "simd.hpp"

namespace {

// The direction of a gradient, one of 18, by comparing |y| with |x| at the borders between directions: 10,
// 30, 50 and 70 degrees. A border's tangent is a fraction of 65536; above 45 degrees |x| is compared with
// the cotangent. With these constants it is the direction whose unit vector, in dlib's four digits, gives
// the largest product: checked for all 511 * 511 gradients. Bin 18 also means 0.
Int direction(Int x, Int y) {
  const Int ax = absolute16(x), ay = absolute16(y);
  Int sector = splat16(2);
  sector = add_one16(sector, greater16(ay, high_product16(ax, splat16(11555))));
  sector = add_one16(sector, greater16(ay, high_product16(ax, splat16(37843))));
  sector = subtract_one16(sector, greater16(ax, high_product16(ay, splat16(54992))));
  sector = subtract_one16(sector, greater16(ax, high_product16(ay, splat16(23853))));
  const Int down = sign16(y), left = sign16(add16(x, down));
  const Int base = choose_bits(left, splat16(9), both(down, splat16(18)));
  const Int mirrored = differ(left, down);  // all ones if the sector counts backwards
  return add16(base, subtract16(differ(sector, mirrored), mirrored));
}

struct Strongest {
  Int gradient;  // pairs of 16 bits: x, y
  Int square;
};

// The stronger of two; if equal, the later channel in dlib's vector columns, the earlier in its last columns.
Strongest stronger(Strongest earlier, Strongest later, Int earlier_wins) {
  const Mask32 keep = greater32(add32(earlier.square, earlier_wins), later.square);
  return {choose32(keep, earlier.gradient, later.gradient), maximum32(earlier.square, later.square)};
}

// Magnitude of the strongest channel's gradient, and the offset of its bin in floats. `earlier_wins` is 1
// where the earlier of equal channels is used, else 0.
void gradients(const meanface::Planes& above, const meanface::Planes& here, const meanface::Planes& below,
               std::size_t columns, const std::uint16_t* earlier_wins, float* magnitude, std::uint16_t* bin) {
  constexpr std::size_t STEP = 2 * FLOATS;
  for (std::size_t c = 0; c < columns; c += STEP) {
    Strongest low[3], high[3];
    for (int channel = 0; channel < 3; ++channel) {
      const std::uint8_t* middle = here[channel] + c;
      const Int x = subtract16(widen(middle + 1), widen(middle - 1));
      const Int y = subtract16(widen(below[channel] + c), widen(above[channel] + c));
      low[channel].gradient = unpack_low16(x, y), high[channel].gradient = unpack_high16(x, y);
      low[channel].square = multiply_pairs16(low[channel].gradient, low[channel].gradient);
      high[channel].square = multiply_pairs16(high[channel].gradient, high[channel].gradient);
    }
    const Int wins = load(static_cast<const void*>(earlier_wins + c));
    const Int low_wins = unpack_low16(wins, zero()), high_wins = unpack_high16(wins, zero());
    const Strongest l = stronger(stronger(low[0], low[1], low_wins), low[2], low_wins);
    const Strongest h = stronger(stronger(high[0], high[1], high_wins), high[2], high_wins);

    const Float low_magnitude = root(l.square), high_magnitude = root(h.square);
    store(magnitude + c, first_of(low_magnitude, high_magnitude));
    store(magnitude + c + FLOATS, second_of(low_magnitude, high_magnitude));
    const Int x = pack32(low_half(l.gradient), low_half(h.gradient));
    const Int y = pack32(high_half(l.gradient), high_half(h.gradient));
    static_assert(meanface::BIN_FLOATS == 1 << 2, "a bin's offset is the direction, shifted");
    store(static_cast<void*>(bin + c), shift_left16<2>(direction(x, y)));
  }
}

// Adds a row's magnitudes to their bins, in several blocks at a time: otherwise a bin that is hit twice in
// a row would wait for its sum from memory.
void scatter(const float weights[meanface::CELL][4], std::size_t blocks, const float* magnitude,
             const std::uint16_t* bin, float* histograms) {
  constexpr std::size_t BLOCK = meanface::BLOCK_FLOATS, SIDE = meanface::CELL, AT_ONCE = meanface::BLOCKS_AT_ONCE;
  Four weight[SIDE];
  for (std::size_t i = 0; i < SIDE; ++i) weight[i] = load4(weights[i]);
  for (std::size_t b = 0; b < blocks; b += AT_ONCE) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < SIDE; ++i) {
#pragma GCC unroll 4
      for (std::size_t k = 0; k < AT_ONCE; ++k) {
        float* cells = histograms + k * BLOCK + bin[i + k * SIDE];
        store(cells, multiply_add(splat4(magnitude[i + k * SIDE]), weight[i], load4(cells)));
      }
    }
    histograms += AT_ONCE * BLOCK, magnitude += AT_ONCE * SIDE, bin += AT_ONCE * SIDE;
  }
}

}  // namespace
