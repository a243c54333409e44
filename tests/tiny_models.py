"""Small ONNX networks and model cards, made for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Float32 = NDArray[np.float32]

CARD = """
name = "{name}"
licence = "Apache-2.0"
dimension = {dimension}
normalized = {normalized}

[network]
file = "{file}"
sha256 = "{sha256}"

[input]
width = {width}
height = {height}
layout = "{layout}"
colours = "{colours}"
mean = {mean}
scale = {scale}

[alignment]
template = {template}

[detector]
{detector}
"""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def embedding_network(
    path: Path,
    dimension: int = 512,
    *,
    size: tuple[int, int] = (112, 112),
    layout: str = "NCHW",
    batch: int | str = 1,
    mixing: bool = False,
) -> Path:
    """A convolution, an average over its places, a matrix; with `mixing`, minus the mean of the batch."""
    source = np.random.default_rng(dimension)
    width, height = size
    nodes = [
        helper.make_node("Conv", ["rgb", "filters"], ["edges"], strides=[4, 4]),
        helper.make_node("Relu", ["edges"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["own" if mixing else "embedding"]),
    ]
    if layout == "NHWC":
        nodes.insert(0, helper.make_node("Transpose", ["face"], ["rgb"], perm=[0, 3, 1, 2]))
    else:
        nodes.insert(0, helper.make_node("Identity", ["face"], ["rgb"]))
    if mixing:
        nodes.append(helper.make_node("ReduceMean", ["own", "axes"], ["common"]))
        nodes.append(helper.make_node("Sub", ["own", "common"], ["difference"]))
        nodes.append(helper.make_node("Add", ["own", "difference"], ["embedding"]))
    numbers = {
        "filters": source.normal(0, 0.2, (32, 3, 8, 8)).astype(np.float32),
        "matrix": source.normal(0, 1, (32, dimension)).astype(np.float32),
        "axes": np.array([0], np.int64),
    }
    shape = [batch, 3, height, width] if layout == "NCHW" else [batch, height, width, 3]
    return _saved(path, nodes, shape, {"embedding": [batch, dimension]}, numbers)


def detector_network(path: Path, outputs: Mapping[str, Float32], size: tuple[int, int]) -> Path:
    """A network with these outputs for every photo of a size (width, height)."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        *(helper.make_node("Add", [f"{name}_values", "nothing"], [name]) for name in outputs),
    ]
    numbers = {"zero": np.zeros((), np.float32)} | {f"{name}_values": values for name, values in outputs.items()}
    shapes = {name: list(values.shape) for name, values in outputs.items()}
    return _saved(path, nodes, [1, 3, size[1], size[0]], shapes, numbers)


def _saved(
    path: Path, nodes: list[Any], shape: list[Any], outputs: Mapping[str, list[Any]], numbers: Mapping[str, Any]
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("face" if "embedding" in outputs else "input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


FIELDS: dict[str, Any] = {
    "name": "tiny",
    "dimension": 512,
    "normalized": "true",
    "file": "tiny.onnx",
    "sha256": "a" * 64,
    "width": 112,
    "height": 112,
    "layout": "NCHW",
    "colours": "RGB",
    "mean": 127.5,
    "scale": 0.0078125,
    "template": '"arcface_112"',
    "detector": 'kind = "dlib_hog"',
}
"""of a valid card, as `CARD` takes them"""


def card(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """A card of an embedding network beside it, which is made unless `file` names one."""
    dimension = changes.setdefault("dimension", 512)
    if "file" not in changes:
        changes["file"] = embedding_network(folder / f"{name}.onnx", dimension).name
    network = folder / changes["file"]
    changes["sha256"] = changes.get("sha256") or (sha256(network) if network.exists() else "0" * 64)
    path = folder / f"{name}.toml"
    path.write_text(CARD.format(**FIELDS | {"name": name} | changes))
    return path
