// The extension module meanface.embedder._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>

#include "cnn/cnn_detector.hpp"
#include "detector.hpp"
#include "dispatch.hpp"
#include "network/network.hpp"
#include "predictor.hpp"

namespace nb = nanobind;
using namespace meanface;

namespace {

template <class T, class... Shape>
using Array = nb::ndarray<const T, nb::c_contig, nb::device::cpu, Shape...>;

using Photo = Array<std::uint8_t, nb::shape<-1, -1, 3>>;
using Filters = Array<float, nb::shape<FILTERS, CHANNELS, WINDOW, WINDOW>>;
using Thresholds = Array<double, nb::shape<FILTERS>>;
using Projection = Array<float, nb::shape<CODES, CHANNELS>>;
using CoarseFilters = Array<std::int8_t, nb::shape<FILTERS, WINDOW, WINDOW, CODES>>;
using Units = Array<float, nb::shape<FILTERS>>;
using Values = Array<float, nb::shape<-1>>;
using Mean = Array<float, nb::shape<3>>;
using Chips = Array<std::uint8_t, nb::shape<-1, CHIP, CHIP, COLOURS>>;

template <class Table>
std::vector<std::string> names_of(const std::vector<const Table*>& tables) {
  std::vector<std::string> names;
  for (const Table* table : tables) names.emplace_back(table->name);
  return names;
}

template <class Table>
const Table& named(const std::string& name, const std::vector<const Table*>& tables) {
  for (const Table* table : tables)
    if (name == table->name) return *table;
  throw std::invalid_argument("this CPU cannot run kernels named " + name);
}

// left, top, right, bottom; score; coarse score; filter
using Row = std::tuple<long, long, long, long, double, double, int>;

Size size_of(const Photo& photo) {
  const auto side = [&photo](std::size_t axis) {  // the detector searches no larger photo
    return static_cast<int>(std::min(photo.shape(axis), std::size_t{LARGEST + 1}));
  };
  return {side(0), side(1)};
}

std::tuple<std::vector<Row>, bool> find(Detector& detector, const Photo& photo, double adjust, double margin,
                                        double tolerance) {
  Faces faces;
  {
    nb::gil_scoped_release others_may_run;
    faces = detector.find(photo.data(), size_of(photo), {adjust, margin, tolerance});
  }
  std::vector<Row> rows;
  for (const Detection& face : faces.kept) {
    const Box box = reduced(face.box, detector.doublings());
    rows.emplace_back(box.left, box.top, box.right, box.bottom, face.score, face.coarse, face.filter);
  }
  return {rows, faces.certain};
}

// left, top, right, bottom; score
using CnnRow = std::tuple<long, long, long, long, double>;

std::vector<CnnRow> find_by_cnn(const CnnDetector& detector, const Photo& photo, int doublings) {
  std::vector<Detection> faces;
  {
    nb::gil_scoped_release others_may_run;
    faces = detector.find(photo.data(), size_of(photo), doublings);
  }
  std::vector<CnnRow> rows;
  for (const auto& face : faces)
    rows.emplace_back(face.box.left, face.box.top, face.box.right, face.box.bottom, face.score);
  return rows;
}

nb::object cnn_scores(const CnnDetector& detector, const Photo& photo, int doublings) {
  auto* kept = new Scores{};
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<Scores*>(p); });
  {
    nb::gil_scoped_release others_may_run;
    *kept = detector.scores(photo.data(), size_of(photo), doublings);
  }
  return nb::cast(
      nb::ndarray<nb::numpy, float, nb::shape<-1, -1>>(kept->values.data(), {kept->rows, kept->columns}, owner));
}

nb::object features(Detector& detector, const Photo& photo) {
  auto* kept = new std::vector<float>;
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
  {
    nb::gil_scoped_release others_may_run;
    *kept = detector.features(photo.data(), size_of(photo));
  }
  return nb::cast(nb::ndarray<nb::numpy, float, nb::shape<-1, CHANNELS>>(
      kept->data(), {kept->size() / CHANNELS, CHANNELS}, owner));
}

std::tuple<std::vector<std::tuple<int, int>>, bool> landmarks(const Predictor& predictor, const Photo& photo,
                                                              const std::tuple<long, long, long, long>& box,
                                                              double tolerance) {
  const auto [left, top, right, bottom] = box;
  Landmarks found;
  {
    nb::gil_scoped_release others_may_run;
    found = predictor.find(photo.data(), size_of(photo), {left, top, right, bottom}, tolerance);
  }
  std::vector<std::tuple<int, int>> points;
  for (const auto& [x, y] : found.points) points.emplace_back(x, y);
  return {points, found.certain};
}

nb::object embed(Network& network, const Chips& chips) {
  const std::size_t count = chips.shape(0);
  auto* embeddings = new float[count * EMBEDDING];
  const nb::capsule owner(embeddings, [](void* p) noexcept { delete[] static_cast<float*>(p); });
  {
    nb::gil_scoped_release others_may_run;
    network.embed(chips.data(), count, embeddings);
  }
  return nb::cast(nb::ndarray<nb::numpy, float, nb::shape<-1, EMBEDDING>>(embeddings, {count, EMBEDDING}, owner));
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("kernels", [] { return names_of(usable_kernels()); });
  module.def("network_kernels", [] { return names_of(usable_network_kernels()); });
  nb::class_<Detector>(module, "Detector")
      .def("__init__",
           [](Detector* self, const std::string& kernels, const Filters& filters, const Thresholds& thresholds,
              const Projection& projection, const CoarseFilters& coarse, const Units& units,
              std::tuple<double, double> overlap, int doublings) {
             if (doublings < 0 || doublings > MOST_DOUBLINGS)
               throw std::invalid_argument("a photo is doubled 0 to 3 times");
             const auto [of_hull, of_either] = overlap;
             new (self) Detector(named(kernels, usable_kernels()),
                                 {filters.data(), thresholds.data(), projection.data(), coarse.data(), units.data(),
                                  {of_hull, of_either}},
                                 doublings);
           },
           nb::arg("kernels"), nb::kw_only(), nb::arg("filters"), nb::arg("thresholds"), nb::arg("projection"),
           nb::arg("coarse"), nb::arg("units"), nb::arg("overlap"), nb::arg("doublings"))
      .def_prop_ro("name", &Detector::name)
      .def("features", &features, nb::arg("photo"))
      .def("find", &find, nb::arg("photo"), nb::kw_only(), nb::arg("adjust"), nb::arg("margin"), nb::arg("tolerance"));
  nb::class_<CnnDetector>(module, "CnnDetector")
      .def("__init__",
           [](CnnDetector* self, const std::string& kernels, const Values& parameters, const Mean& mean,
              std::tuple<double, double> overlap) {
             const auto [of_hull, of_either] = overlap;
             new (self) CnnDetector(*usable_kernels().front(), named(kernels, usable_network_kernels()),
                                    {parameters.data(), parameters.size(), mean.data(), {of_hull, of_either}});
           },
           nb::arg("kernels"), nb::kw_only(), nb::arg("parameters").noconvert(), nb::arg("mean"), nb::arg("overlap"))
      .def_prop_ro("name", &CnnDetector::name)
      .def("scores", &cnn_scores, nb::arg("photo"), nb::kw_only(), nb::arg("doublings"))
      .def("find", &find_by_cnn, nb::arg("photo"), nb::kw_only(), nb::arg("doublings"));
  nb::class_<Predictor>(module, "Predictor")
      .def("__init__",
           [](Predictor* self, const nb::bytes& file) {
             new (self) Predictor(static_cast<const std::uint8_t*>(file.data()), file.size());
           },
           nb::arg("file"))
      .def("find", &landmarks, nb::arg("photo"), nb::arg("box"), nb::kw_only(), nb::arg("tolerance"));
  nb::class_<Network>(module, "Network")
      .def("__init__",
           [](Network* self, const std::string& kernels, const Values& parameters) {
             new (self) Network(named(kernels, usable_network_kernels()), parameters.data(), parameters.size());
           },
           nb::arg("kernels"), nb::arg("parameters").noconvert())
      .def_prop_ro("name", &Network::name)
      .def("embed", &embed, nb::arg("chips").noconvert());
}
