"""dlib's face recognition network as ONNX, converted once from dlib's file into the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.dlib_models import MEAN_RGB, Convolution, Float32, layers, network_bytes
from meanface.embedder.model_cache import cache_path, put
from meanface.errors import DamagedRecord
from meanface.stats.chip_sum import CHIP_SIZE

if TYPE_CHECKING:
    import onnx

MODEL_SHA256 = "7244895c7564b6954cfc2ffbb863c7a86a4c1a844b276d3756c71f8c4ed14f68"
"""of the converted network, as this module writes it"""

OPSET, IR_VERSION = 17, 8


def cached(folder: str | None = None) -> Path:
    """Path of the converted network in the cache; the first call converts it.

    DamagedRecord if dlib's file, or the converted network, does not have the expected SHA-256.
    """
    path = cache_path(f"dlib_face_recognition_resnet_v1-{MODEL_SHA256[:12]}.onnx", folder)
    if not path.exists():
        put(path, convert(network_bytes()))
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DamagedRecord(f"{path} cannot be read ({error.strerror}): remove it to convert it again") from None
    if found != MODEL_SHA256:
        raise DamagedRecord(f"{path} has SHA-256 {found}, expected {MODEL_SHA256}: remove it to convert it again")
    return path


def convert(data: bytes) -> bytes:
    """Convert dlib's file to an ONNX file.

    Its input is `chips`, uint8[N, 150, 150, 3] in RGB, its output `embeddings`, float32[N, 128].
    """
    model: bytes = _network(*layers(data)).SerializeToString(deterministic=True)
    return model


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
