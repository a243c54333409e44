"""Correct the declarations in an ONNX file, so that ONNX Runtime takes what OpenCV takes.

- Files often fix the size of photos with which they were exported. On request the input has any
  size.
- Older files declare the network's numbers as inputs, too. In a quantised file of that kind no
  operation takes these, and ONNX Runtime would still ask for them.

- A quantised tensor with one scale may say that it has blocks, as in the files of OpenCV Zoo. ONNX
  Runtime takes no blocks where one scale is for everything.

No number changes, and no operation. An ONNX file is a protocol buffer:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

Value = int | bytes

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NAME, _TYPE, _NODE_INPUT = 1, 2, 1
_OPERATION, _ATTRIBUTE, _DIMS = 4, 5, 1
_TENSOR, _SHAPE, _DIM, _DIM_PARAM = 1, 2, 1, 2
_INITIALIZER_NAME = 8


def prepared(model: bytes, *, free_size: bool = False) -> bytes:
    """The model with its true inputs only; ValueError if it is no ONNX file.

    With `free_size`, the last two of an input's four dimensions are free: rows and columns.
    """
    return _edited(model, {_GRAPH: lambda graph: _graph(graph, free_size=free_size)})


def _graph(graph: bytes, *, free_size: bool) -> bytes:
    taken = {name for node in _texts(graph, _NODE) for name in _texts(node, _NODE_INPUT)}
    numbers = {_texts(tensor, _INITIALIZER_NAME)[0]: tensor for tensor in _texts(graph, _INITIALIZER)}
    taken -= set(numbers)
    single = {name for name, tensor in numbers.items() if _shape(tensor) in ([], [1])}
    graph = _edited(graph, {_NODE: lambda node: _without_block(node, single)})
    aside = {_VALUE_INFO} if free_size else set()  # shapes within the network
    kept = [
        (field, value)
        for field, value in _fields(graph)
        if field not in aside and (field != _INPUT or (isinstance(value, bytes) and _texts(value, _NAME)[0] in taken))
    ]
    if not free_size:
        return _message(kept)
    without_shape = partial(_in_shape, change=lambda _: None)
    return _edited(_message(kept), {_INPUT: partial(_in_shape, change=_free_dims), _OUTPUT: without_shape})


def _without_block(node: bytes, single: set[bytes]) -> bytes:
    """A DequantizeLinear with one scale, without the size of its blocks; any other node as it is."""
    inputs = _texts(node, _NODE_INPUT)
    if _texts(node, _OPERATION) != [b"DequantizeLinear"] or len(inputs) < 2 or inputs[1] not in single:
        return node
    return _message(
        (field, value)
        for field, value in _fields(node)
        if field != _ATTRIBUTE or not isinstance(value, bytes) or _texts(value, _NAME) != [b"block_size"]
    )


def _shape(tensor: bytes) -> list[int]:
    return [value for field, value in _fields(tensor) if field == _DIMS and isinstance(value, int)]


def _in_shape(value_info: bytes, change: Callable[[bytes], bytes | None]) -> bytes:
    """Change the shape of a tensor's declaration; None removes it."""

    def tensor(content: bytes) -> bytes:
        fields = list[tuple[int, Value]]()
        for field, value in _fields(content):
            changed = change(value) if field == _SHAPE and isinstance(value, bytes) else value
            if changed is not None:
                fields.append((field, changed))
        return _message(fields)

    return _edited(value_info, {_TYPE: lambda kind: _edited(kind, {_TENSOR: tensor})})


def _free_dims(shape: bytes) -> bytes:
    dims = [value for field, value in _fields(shape) if field == _DIM]
    if len(dims) == 4:
        dims[2:] = [_message([(_DIM_PARAM, name)]) for name in (b"rows", b"columns")]
    return _message([(_DIM, dim) for dim in dims])


def _edited(message: bytes, edits: dict[int, Callable[[bytes], bytes]]) -> bytes:
    """A message with some of its fields, which are messages, changed."""
    return _message(
        (field, edits[field](value) if field in edits and isinstance(value, bytes) else value)
        for field, value in _fields(message)
    )


def _texts(message: bytes, wanted: int) -> list[bytes]:
    return [value for field, value in _fields(message) if field == wanted and isinstance(value, bytes)]


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field; ValueError for fixed-width numbers and groups, which these messages lack."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        match key & 7:
            case 0:
                number, place = _varint(message, place)
                yield key >> 3, number
            case 2:
                size, place = _varint(message, place)
                if place + size > len(message):
                    raise ValueError("not an ONNX file: it is truncated")
                yield key >> 3, message[place : place + size]
                place += size
            case other:
                raise ValueError(f"not an ONNX file: a field has wire type {other}")


def _message(fields: Iterable[tuple[int, Value]]) -> bytes:
    parts = []
    for field, value in fields:
        if isinstance(value, int):
            parts += [_encoded(field << 3), _encoded(value)]
        else:
            parts += [_encoded(field << 3 | 2), _encoded(len(value)), value]
    return b"".join(parts)


def _varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    raise ValueError("not an ONNX file: a number is truncated")


def _encoded(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
