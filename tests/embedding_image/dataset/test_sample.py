"""The sample that ships in the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from meanface.dataset import SAMPLE

ROOT = Path(__file__).parents[3]


def built() -> dict[str, bytes]:
    spec = importlib.util.spec_from_file_location("build_sample", ROOT / "scripts" / "build_sample.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.photos()


def test_it_is_what_its_script_builds():
    assert {str(path.relative_to(SAMPLE)): path.read_bytes() for path in SAMPLE.rglob("*.*")} == built()


def test_it_is_listed_and_read(listed):
    found = listed("sample")
    assert found.read_all() == built()
    assert (found.source.url, found.source.passed_over, found.source.warnings) == ("sample", (), ())


def test_every_photo_has_its_source_named():
    sources = (SAMPLE.parent / "SOURCES.md").read_text()
    assert [name for name in built() if f"| `{name}` |" not in sources] == []


def test_it_is_small():
    assert sum(len(data) for data in built().values()) < 1_500_000
