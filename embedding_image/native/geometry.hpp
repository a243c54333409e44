// Constants of dlib's frontal face detector, each of which affects boxes; and the memory layout of its
// data.
#pragma once
#include <cstddef>
#include <cstdint>

namespace meanface {

constexpr int CELL = 8;            // pixels
constexpr int WINDOW = 10;         // cells: a face of 80 x 80 pixels
constexpr int FILTERS = 5;         // front, left, right, and front rotated to either side
constexpr int CHANNELS = 31;       // 18 signed and 9 unsigned directions, 4 textures
constexpr int SIGNED = 18;         // directions of a gradient
constexpr int UNSIGNED = 9;        // without their sign
constexpr int PADDING_BEFORE = 4;  // cells of zeros above and left of the features; a window may begin there
constexpr int PADDING_AFTER = 5;   // and below and right
constexpr int SMALLEST = 64;       // pixels; the pyramid has no level with a smaller rectangle
constexpr int LARGEST = 1 << 15;   // pixels of a photo's side; dlib itself processes larger photos
constexpr int MOST_DOUBLINGS = 3;  // of a photo before the search

// Suppression removes one of two boxes if their intersection is more than this fraction of the box
// around both, or of either. Read from the detector's file, like the filters.
struct Overlap {
  double of_hull;
  double of_either;
};

// Memory layout.
//
// Pixels: a row has three planes, one after the other, with room on both sides for vector code.
constexpr std::size_t SLACK = 64;

// Blocks: 8 x 8 pixels, offset by half a cell, so that all pixels of a block lie between the same four
// cells. A row of pixels is shifted by the same offset, so blocks begin at multiples of eight. A block
// is a histogram: for each bin a float for each of the four cells, above left, above right, below left,
// below right. Bin 18 also means 0, and bin 19 pads a register. A row of blocks is padded to groups that
// are filled together.
constexpr int SHIFT = CELL / 2;
constexpr std::size_t BIN_FLOATS = 4;
constexpr std::size_t BLOCK_FLOATS = (SIGNED + 2) * BIN_FLOATS;
constexpr std::size_t BLOCKS_AT_ONCE = 4;

// Cells: a row of histograms (signed, then unsigned directions), or of features, zero-padded to the stride.
constexpr int STRIDE = 32;

// Codes: a row of cells is stored by group, then by cell: the codes that one 32-bit lane multiplies.
constexpr int CODES = 12;  // channels of the coarse scan
constexpr int CODE_GROUP = 4;
constexpr int CODE_GROUPS = CODES / CODE_GROUP;
constexpr int LARGEST_CODE = 127;
constexpr int COLUMNS_SUMMED = 5;  // of a window: sums of two codes' products over so many fit in 16 bits
constexpr int CODE_ZERO = 64;  // the code of a projection of 0; codes are 0 ... 127

}  // namespace meanface
