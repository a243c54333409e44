// Detector, landmarks and network as a program, to compare the bits of other processors and registers.
//
//   bits network PARAMETERS CHIPS            writes the embeddings, float32
//   bits detector WEIGHTS PHOTO ROWS COLUMNS DOUBLINGS ADJUST MARGIN TOLERANCE    writes the faces, as text: box,
//                                              score, coarse score, filter; then whether they are certain
//   bits features WEIGHTS PHOTO ROWS COLUMNS DOUBLINGS        writes the features of all cells, float32
//   bits cnn PARAMETERS PHOTO ROWS COLUMNS DOUBLINGS          writes the scores of the CNN detector, float32
//   bits landmarks MODEL PHOTO ROWS COLUMNS LEFT TOP RIGHT BOTTOM    writes the points, as text
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "cnn/cnn_detector.hpp"
#include "detector.hpp"
#include "network/network.hpp"
#include "predictor.hpp"

using namespace meanface;

namespace {

std::vector<std::uint8_t> contents(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (!file) throw std::runtime_error(std::string("cannot open ") + path);
  std::vector<std::uint8_t> bytes;
  std::uint8_t part[65536];
  while (const std::size_t count = std::fread(part, 1, sizeof part, file)) bytes.insert(bytes.end(), part, part + count);
  std::fclose(file);
  return bytes;
}

void network(char** paths) {
  const auto bytes = contents(paths[0]), chips = contents(paths[1]);
  std::vector<float> parameters(bytes.size() / sizeof(float));
  std::memcpy(parameters.data(), bytes.data(), parameters.size() * sizeof(float));
  Network network(NETWORK_KERNELS, parameters.data(), parameters.size());
  std::vector<float> embeddings(chips.size() / CHIP_BYTES * EMBEDDING);
  network.embed(chips.data(), chips.size() / CHIP_BYTES, embeddings.data());
  std::fwrite(embeddings.data(), sizeof(float), embeddings.size(), stdout);
}

// The arrays of `Weights`, one after the other, the widest types first.
struct Arrays {
  double thresholds[FILTERS], overlap[2];
  float filters[FILTERS * CHANNELS * WINDOW * WINDOW], projection[CODES * CHANNELS], units[FILTERS];
  std::int8_t coarse[FILTERS * WINDOW * WINDOW * CODES];
};

struct Given {
  Arrays arrays;
  std::vector<std::uint8_t> photo;
  Size size;
  Detector detector;

  explicit Given(char** arguments)
      : arrays(read(arguments[0])),
        photo(contents(arguments[1])),
        size{std::atoi(arguments[2]), std::atoi(arguments[3])},
        detector(DETECTOR_KERNELS, {arrays.filters, arrays.thresholds, arrays.projection, arrays.coarse, arrays.units,
                                    {arrays.overlap[0], arrays.overlap[1]}},
                 std::atoi(arguments[4])) {}

  static Arrays read(const char* path) {
    Arrays arrays;
    const auto bytes = contents(path);
    std::memcpy(&arrays, bytes.data(), std::min(bytes.size(), sizeof arrays));  // which may end with padding
    return arrays;
  }
};

void detector(char** arguments) {
  Given given(arguments);
  const Search search{std::atof(arguments[5]), std::atof(arguments[6]), std::atof(arguments[7])};
  const Faces faces = given.detector.find(given.photo.data(), given.size, search);
  for (const Detection& face : faces.kept) {
    const Box box = reduced(face.box, given.detector.doublings());
    std::printf("%ld %ld %ld %ld %a %a %d\n", box.left, box.top, box.right, box.bottom, face.score, face.coarse,
                face.filter);
  }
  std::printf("%s\n", faces.certain ? "certain" : "uncertain");
}

void features(char** arguments) {
  Given given(arguments);
  const auto features = given.detector.features(given.photo.data(), given.size);
  std::fwrite(features.data(), sizeof(float), features.size(), stdout);
}

// The parameters are followed by the mean colour.
void cnn(char** arguments) {
  const auto bytes = contents(arguments[0]), photo = contents(arguments[1]);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  const std::size_t count = numbers.size() - 3;
  const CnnDetector detector(DETECTOR_KERNELS, NETWORK_KERNELS, {numbers.data(), count, numbers.data() + count, {}});
  const Size size{std::atoi(arguments[2]), std::atoi(arguments[3])};
  const Scores scores = detector.scores(photo.data(), size, std::atoi(arguments[4]));
  std::fwrite(scores.values.data(), sizeof(float), scores.values.size(), stdout);
}

void landmarks(char** arguments) {
  const auto model = contents(arguments[0]), photo = contents(arguments[1]);
  int numbers[6];
  for (int i = 0; i < 6; ++i) numbers[i] = std::atoi(arguments[2 + i]);
  const Predictor predictor(model.data(), model.size());
  const Landmarks found = predictor.find(photo.data(), {numbers[0], numbers[1]},
                                         {numbers[2], numbers[3], numbers[4], numbers[5]}, 2e-14);
  for (const auto& [x, y] : found.points) std::printf("%d %d\n", x, y);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count == 4 && !std::strcmp(arguments[1], "network")) return network(arguments + 2), 0;
    if (count == 10 && !std::strcmp(arguments[1], "detector")) return detector(arguments + 2), 0;
    if (count == 7 && !std::strcmp(arguments[1], "features")) return features(arguments + 2), 0;
    if (count == 7 && !std::strcmp(arguments[1], "cnn")) return cnn(arguments + 2), 0;
    if (count == 10 && !std::strcmp(arguments[1], "landmarks")) return landmarks(arguments + 2), 0;
    std::fputs("see the top of bits.cpp\n", stderr);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
  }
  return 2;
}
