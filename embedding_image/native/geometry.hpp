// The numbers that fix dlib's frontal face detector. Changing any of them changes boxes.
#pragma once
#include <cstddef>
#include <cstdint>

namespace meanface {

constexpr int CELL = 8;            // pixels
constexpr int WINDOW = 10;         // cells: a face of 80 x 80 pixels
constexpr int FILTERS = 5;         // front, left, right, and front turned either way
constexpr int CHANNELS = 31;       // 18 signed and 9 unsigned directions, 4 textures
constexpr int STRIDE = 32;         // floats from one cell's features to the next: the channels and a zero
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

// Where photos' rows lie in memory: three planes, one after the other, with room on both sides that vector code may
// read and write.
constexpr std::size_t SLACK = 64;

constexpr int CODES = 12;      // channels of the coarse scan
constexpr int CODE_GROUP = 4;  // codes of one cell that lie together: what one 32-bit lane multiplies
constexpr int CODE_GROUPS = CODES / CODE_GROUP;
constexpr int CODE_ZERO = 64;  // the code of a projection of 0; codes are 0 ... 127

}  // namespace meanface
