// The numbers that fix dlib's frontal face detector, of which changing any changes boxes; and how everything that it
// works on lies in memory.
#pragma once
#include <cstddef>
#include <cstdint>

namespace meanface {

constexpr int CELL = 8;            // pixels
constexpr int WINDOW = 10;         // cells: a face of 80 x 80 pixels
constexpr int FILTERS = 5;         // front, left, right, and front turned either way
constexpr int CHANNELS = 31;       // 18 signed and 9 unsigned directions, 4 textures
constexpr int SIGNED = 18;         // directions of a gradient
constexpr int UNSIGNED = 9;        // without their sign
constexpr int PADDING_BEFORE = 4;  // cells of zeros above and to the left of the features; a window may begin there
constexpr int PADDING_AFTER = 5;   // and below and to the right
constexpr int SMALLEST = 64;       // pixels: no level of the pyramid whose rectangle is smaller
constexpr int LARGEST = 1 << 15;   // pixels of a photo's side; what is larger goes to dlib itself

// Suppression: one of two boxes goes if their intersection is more than this of the box around both, or of either.
// Read from the detector's own file, like the filters.
struct Overlap {
  double of_hull;
  double of_either;
};

// In memory.
//
// Pixels: a row is three planes, one after the other, with room on both sides that vector code may read and write.
constexpr std::size_t SLACK = 64;

// Blocks: 8 x 8 pixels, half a cell off the cells, so that all of a block's pixels lie between the same four cells. A
// row of pixels is shifted by as much, which makes blocks begin at multiples of eight. A block is a histogram: bin by
// bin a float for each of the four cells, above left, above right, below left, below right. Bin 18 stands for 0, too,
// and bin 19 fills a register. Rows of blocks are whole groups of those that are filled at once.
constexpr int SHIFT = CELL / 2;
constexpr std::size_t BIN_FLOATS = 4;
constexpr std::size_t BLOCK_FLOATS = (SIGNED + 2) * BIN_FLOATS;
constexpr std::size_t BLOCKS_AT_ONCE = 4;

// Cells: a row of histograms (signed, then unsigned directions), or of features, each with zeros up to the stride.
constexpr int STRIDE = 32;

// Codes: a row of cells is group by group, in each of them cell by cell the codes that one 32-bit lane multiplies.
constexpr int CODES = 12;  // channels of the coarse scan
constexpr int CODE_GROUP = 4;
constexpr int CODE_GROUPS = CODES / CODE_GROUP;
constexpr int CODE_ZERO = 64;  // the code of a projection of 0; codes are 0 ... 127

}  // namespace meanface
