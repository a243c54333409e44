"""Declarations of an ONNX file are corrected; its numbers and operations stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from laws import examples
from meanface.embedder.models.onnx_file import prepared
from tiny_models import embedding_network


def run(model: bytes, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]


def test_a_file_without_mistakes_stays_as_it_is(tmp_path: Path) -> None:
    data = embedding_network(tmp_path / "a.onnx").read_bytes()
    assert onnx.load_from_string(prepared(data)) == onnx.load_from_string(data)


def test_a_free_size_takes_photos_of_any_size(tmp_path: Path) -> None:
    """The same numbers where the file's own size is given."""
    data = embedding_network(tmp_path / "a.onnx").read_bytes()
    noise = np.random.default_rng(0).normal(size=(1, 3, 160, 224)).astype(np.float32)
    free = prepared(data, free_size=True)
    with pytest.raises(Exception, match="Got: 160 Expected: 112"):
        run(data, noise)
    assert run(free, noise).shape == (1, 512)
    own = noise[:, :, :112, :112]
    assert np.array_equal(run(free, own), run(data, own))


def quantised() -> bytes:
    """As OpenCV Zoo's: one scale with a block size, and an input that no operation takes."""
    values = np.arange(-8, 8, dtype=np.int8)
    numbers = {
        "whole": values,
        "one_scale": np.array([0.5], np.float32),
        "zero": np.zeros(1, np.int8),
        "rows": values.reshape(2, 8),
        "scales": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
        "zeros": np.zeros((2, 2), np.int8),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["whole", "one_scale", "zero"], ["a"], axis=0, block_size=16),
        helper.make_node("DequantizeLinear", ["rows", "scales", "zeros"], ["b"], axis=1, block_size=4),
        helper.make_node("Flatten", ["b"], ["flat"], axis=0),
        helper.make_node("Add", ["flat", "a"], ["sum"]),
        helper.make_node("Add", ["sum", "x"], ["y"]),
    ]
    declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16]) for name in ("x", "a_weight")]
    graph = helper.make_graph(
        nodes,
        "quantised",
        declared,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16])],
        [numpy_helper.from_array(array, name) for name, array in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def test_one_scale_has_no_blocks_and_true_inputs_remain() -> None:
    model = onnx.load_from_string(prepared(quantised()))
    assert [one.name for one in model.graph.input] == ["x"]
    found = run(prepared(quantised()), np.zeros((1, 16), np.float32))
    values = np.arange(-8, 8)
    expected = values * 0.5 + (values.reshape(4, 4) * np.array([[1.0], [2.0], [3.0], [4.0]])).ravel()
    assert found.tolist() == [expected.tolist()]


WHOLE = quantised()


@given(st.binary(max_size=200) | st.integers(0, len(WHOLE) - 1).map(lambda end: WHOLE[:end]))
@settings(deadline=None, max_examples=examples(100))
def test_other_bytes_are_refused_or_read(data: bytes) -> None:
    """A ValueError that says so, and never another error."""
    try:
        read = prepared(data) is not None
    except ValueError as refused:
        read = "not an ONNX file" in str(refused)
    assert read
