"""The converted network: one file, checked at both ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from meanface.embedder import onnx_network
from meanface.errors import DamagedRecord


def test_conversion_gives_the_expected_file_and_is_done_once(tmp_path: Path) -> None:
    path = onnx_network.cached(str(tmp_path / "cache"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == onnx_network.MODEL_SHA256
    made = path.stat().st_mtime_ns
    assert onnx_network.cached(str(tmp_path / "cache")) == path
    assert path.stat().st_mtime_ns == made
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_damaged_cache_is_refused_by_name(tmp_path: Path) -> None:
    path = onnx_network.cached(str(tmp_path))
    damaged = bytearray(path.read_bytes())
    damaged[10_000_000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedRecord, match=path.name):
        onnx_network.cached(str(tmp_path))


def test_what_has_the_name_of_the_network_is_not_written_over(tmp_path: Path) -> None:
    name = onnx_network.cached(str(tmp_path / "cache")).name
    mine = tmp_path / "mine"
    (mine / name).parent.mkdir()
    (mine / name).symlink_to("somewhere")
    with pytest.raises(DamagedRecord, match=f"{name} cannot be read .*: remove it"):
        onnx_network.cached(str(mine))
    assert (mine / name).readlink() == Path("somewhere")
