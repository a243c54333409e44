"""Networks in ONNX Runtime: one thread, one processor, always the same kernels."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.models.onnx_file import prepared
from meanface.embedder.models.plain import NetworkData
from meanface.errors import SettingsError

Float32 = NDArray[np.float32]

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = frozenset(
    {
        *("avx", "f16c", "avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
        *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
        *("asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme", "sme2"),
    }
)
"""CPU flags, in Linux' names, by which ONNX Runtime chooses kernels"""


class Session:
    """A network that is ready to run; `SettingsError`, which names the card's key, if it is not one.

    With `free_size` its input may have any rows and columns, also if the file fixes them.
    """

    def __init__(self, card: str, network: NetworkData, *, free_size: bool = False) -> None:
        runtime = _runtime()
        self._what = f"model card {card}: {network.key}: {network.path}"
        data = Path(network.path).read_bytes()
        if hashlib.sha256(data).hexdigest() != network.sha256:
            raise SettingsError(f"{self._what} has changed: its SHA-256 is not that of the card")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # warnings about files that work
        options.use_deterministic_compute = True
        options.enable_cpu_mem_arena = options.enable_mem_pattern = not free_size  # an arena never shrinks
        try:
            corrected = prepared(data, free_size=free_size)
            self._session: Any = runtime.InferenceSession(corrected, options, providers=["CPUExecutionProvider"])
        except Exception as refused:  # ONNX Runtime has no common class for them
            raise SettingsError(
                f"{self._what} is no network that ONNX Runtime {runtime.__version__} can run: {_line(refused)}"
            ) from None
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            kinds = ", ".join(f"{one.name}: {one.type}" for one in inputs)
            raise SettingsError(f"{self._what} has the inputs {kinds}: expected one tensor of float32")
        self._input = inputs[0].name
        self.shape: list[int | str | None] = list(inputs[0].shape)
        """of the input; only fixed sizes are numbers"""
        self.outputs: list[str] = [one.name for one in self._session.get_outputs()]

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether the input may have this shape, as far as the file fixes it."""
        return len(self.shape) == len(shape) and all(
            not isinstance(own, int) or own == wanted for own, wanted in zip(self.shape, shape, strict=True)
        )

    def run(self, values: Float32) -> list[Float32]:
        """All outputs for an input; MemoryError if the worker may not have so much memory."""
        try:
            found: list[Float32] = self._session.run(None, {self._input: values})
        except Exception as failure:
            if "alloc" in str(failure):
                raise MemoryError(_line(failure)) from None
            raise SettingsError(
                f"{self._what} does not take an input of {list(values.shape)}: {_line(failure)}"
            ) from None
        return found


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as missing:
        raise SettingsError(
            f"a model card needs ONNX Runtime, which is not installed ({missing}): pip install 'meanface[onnx]'"
        ) from None
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def runtime_version() -> str:
    """Version of ONNX Runtime; `SettingsError` if it is not installed."""
    return str(_runtime().__version__)


@cache
def instruction_set() -> str:
    """The CPU's instructions by which ONNX Runtime chooses kernels: other ones, other last bits."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return platform.machine()
    return f"{platform.machine()} {' '.join(instructions_in(text))}".strip()


def instructions_in(cpuinfo: str) -> list[str]:
    r"""The flags of `INSTRUCTIONS` that every processor of a `/proc/cpuinfo` has.

    >>> instructions_in("flags : fpu avx2 fma avx512f\\nflags : fpu avx2 fma")
    ['avx2', 'fma']
    """
    lines = [line.partition(":")[2] for line in cpuinfo.splitlines() if line.startswith(("flags", "Features"))]
    flags = [INSTRUCTIONS.intersection(line.split()) for line in lines]
    return sorted(frozenset.intersection(*flags)) if flags else []


def _line(failure: Exception) -> str:
    """An exception's text in one line, not too long."""
    return " ".join(str(failure).split())[:300]
