"""dlib's face recognition network as ONNX, converted once from dlib's weights file into the cache.

The weights come with the package `face_recognition_models`. The file is dlib's serialisation of the
whole network, input first. Three kinds of layer have numbers, each after its tag:

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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.detector.dlib_file import Reader
from meanface.embedder.model_cache import cache_path, put
from meanface.errors import DamagedRecord
from meanface.stats.chip_sum import CHIP_SIZE

if TYPE_CHECKING:
    import onnx

Float32 = NDArray[np.float32]

MEAN_RGB = (122.782, 117.001, 104.298)
"""dlib's `input_rgb_image_sized` subtracts it, then divides by 256."""

WEIGHTS_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""of `dlib_face_recognition_resnet_model_v1.dat`"""

MODEL_SHA256 = "7244895c7564b6954cfc2ffbb863c7a86a4c1a844b276d3756c71f8c4ed14f68"
"""of the converted network, as this module writes it"""

OPSET, IR_VERSION = 17, 8


def cached(folder: str | None = None) -> Path:
    """Path of the converted network in the cache; the first call converts it.

    DamagedRecord if dlib's weights, or the converted network, do not have the expected SHA-256.
    """
    path = cache_path(f"dlib_face_recognition_resnet_v1-{MODEL_SHA256[:12]}.onnx", folder)
    if not path.exists():
        put(path, convert(weights_path().read_bytes()))
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DamagedRecord(f"{path} cannot be read ({error.strerror}): remove it to convert it again") from None
    if found != MODEL_SHA256:
        raise DamagedRecord(f"{path} has SHA-256 {found}, expected {MODEL_SHA256}: remove it to convert it again")
    return path


def weights_path() -> Path:
    """dlib's weights, in the package face_recognition_models."""
    return _package_file("dlib_face_recognition_resnet_model_v1.dat")


def landmarks_path() -> Path:
    """dlib's 5-point landmarks, in the same package."""
    return _package_file("shape_predictor_5_face_landmarks.dat")


def _package_file(name: str) -> Path:
    found = importlib.util.find_spec("face_recognition_models")  # its import needs pkg_resources
    if found is None or found.origin is None:
        raise ModuleNotFoundError("face_recognition_models, which has dlib's models, is not installed")
    return Path(found.origin).parent / "models" / name


def convert(weights: bytes) -> bytes:
    """Convert dlib's weights file to an ONNX file.

    Its input is `chips`, uint8[N, 150, 150, 3] in RGB, its output `embeddings`, float32[N, 128].
    """
    found = hashlib.sha256(weights).hexdigest()
    if found != WEIGHTS_SHA256:
        raise DamagedRecord(f"dlib's weights have SHA-256 {found}, expected {WEIGHTS_SHA256}")
    data: bytes = _network(*_layers(weights)).SerializeToString(deterministic=True)
    return data


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


_TAGS = re.compile(rb"\x01\x05con_4|\x01\x07affine_|\x01\x04fc_2")


def _layers(weights: bytes) -> tuple[list[Convolution], Float32]:
    """The 29 convolutions in the order of computation, and the final matrix (256, 128)."""
    channels, convolutions = 3, list[Convolution]()
    for tag in _TAGS.finditer(weights):
        reader = Reader(weights, tag.end())
        match tag[0][2:]:
            case b"con_4":
                values = _tensor(reader)
                count, rows, columns, stride = reader.integers(4)
                filters, biases = np.split(values, [count * channels * rows * columns])
                convolutions.append(Convolution(filters.reshape(count, channels, rows, columns), biases, stride))
                channels = count
            case b"affine_":
                scale, shift = np.split(_tensor(reader).astype(np.float64), 2)
                convolutions[-1] = _folded(convolutions[-1], scale, shift)
            case b"fc_2":
                outputs, inputs = reader.integers(2)
                matrix = _tensor(reader).reshape(inputs, outputs)
    return convolutions, matrix


def _tensor(reader: Reader) -> Float32:
    """A tensor: its version, four sizes, raw float32."""
    _, *sizes = reader.integers(5)
    return reader.floats(math.prod(sizes))


def _folded(layer: Convolution, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> Convolution:
    """One convolution for a convolution and its affine layer; computed in float64, rounded once."""
    filters = layer.filters * scale[:, None, None, None]
    biases = layer.biases * scale + shift
    return Convolution(filters.astype(np.float32), biases.astype(np.float32), layer.stride)


class _Value(NamedTuple):
    """An edge of the graph: its name, channels, and rows (= columns)."""

    name: str
    channels: int
    size: int


class _Graph:
    """Collects ONNX nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolution(self, value: _Value, layer: Convolution) -> _Value:
        name = f"convolution_{len(self.constants)}"
        filters = self.constant(f"{name}_filters", layer.filters)
        biases = self.constant(f"{name}_biases", layer.biases)
        pads, strides = [layer.padding] * 4, [layer.stride] * 2
        output = self.node("Conv", value.name, filters, biases, pads=pads, strides=strides)
        out, _, kernel, _ = layer.filters.shape
        return _Value(output, out, (value.size + 2 * layer.padding - kernel) // layer.stride + 1)

    def pool(self, kind: str, value: _Value, kernel: int) -> _Value:
        output = self.node(kind, value.name, kernel_shape=[kernel] * 2, strides=[2, 2])
        return value._replace(name=output, size=(value.size - kernel) // 2 + 1)

    def relu(self, value: _Value) -> _Value:
        return value._replace(name=self.node("Relu", value.name))

    def add(self, one: _Value, other: _Value) -> _Value:
        """The sum of two values, each padded with zeros to the larger size."""
        channels, size = max(one.channels, other.channels), max(one.size, other.size)
        padded = [self._pad(value, channels, size) for value in (one, other)]
        return _Value(self.node("Add", *padded), channels, size)

    def _pad(self, value: _Value, channels: int, size: int) -> str:
        if (value.channels, value.size) == (channels, size):
            return value.name
        grow = [0, channels - value.channels, size - value.size, size - value.size]
        pads = self.constant(f"{value.name}_pads", np.array([0, 0, 0, 0, *grow], np.int64))
        return self.node("Pad", value.name, pads)


def _network(convolutions: list[Convolution], matrix: Float32) -> onnx.ModelProto:
    """The whole network: the first convolution, then residual blocks of two, then the matrix."""
    from onnx import TensorProto, helper

    graph = _Graph()
    floats = graph.node("Cast", "chips", to=TensorProto.FLOAT)
    centred = graph.node("Sub", floats, graph.constant("mean_rgb", np.array(MEAN_RGB, np.float32)))
    scaled = graph.node("Div", centred, graph.constant("divisor", np.full(1, 256, np.float32)))
    planes = graph.node("Transpose", scaled, perm=[0, 3, 1, 2])

    value = graph.relu(graph.convolution(_Value(planes, 3, CHIP_SIZE), convolutions[0]))
    value = graph.pool("MaxPool", value, 3)
    for first, second in zip(convolutions[1::2], convolutions[2::2], strict=True):
        shortcut = graph.pool("AveragePool", value, 2) if first.stride == 2 else value
        inner = graph.convolution(graph.relu(graph.convolution(value, first)), second)
        value = graph.relu(graph.add(shortcut, inner))
    average = graph.node("ReduceMean", value.name, axes=[2, 3], keepdims=0)
    graph.node("MatMul", average, graph.constant("matrix", matrix), output="embeddings")

    chips = helper.make_tensor_value_info("chips", TensorProto.UINT8, ["N", CHIP_SIZE, CHIP_SIZE, 3])
    embeddings = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", matrix.shape[1]])
    network = helper.make_graph(graph.nodes, "dlib_face_recognition_resnet_v1", [chips], [embeddings], graph.constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(network, producer_name="meanface", opset_imports=[opset], ir_version=IR_VERSION)
