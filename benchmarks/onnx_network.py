"""dlib's face recognition network in ONNX Runtime: the fastest way to run it without code of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.dlib_models import MEAN_RGB, Convolution, Float32, layers, network_bytes
from meanface.stats.chip_sum import CHIP_SIZE

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8


def open_onnx_network() -> Callable[[NDArray[np.uint8]], Float32]:
    """A function from chips (n, 150, 150, 3) to embeddings (n, 128), on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = converted().SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def embed(chips: NDArray[np.uint8]) -> Float32:
        embeddings: Float32 = session.run(None, {"chips": chips})[0]
        return embeddings

    return embed


def converted() -> onnx.ModelProto:
    """dlib's network as an ONNX model.

    Its input is `chips`, uint8[N, 150, 150, 3] in RGB, its output `embeddings`, float32[N, 128].
    """
    return _network(*layers(network_bytes()))


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
