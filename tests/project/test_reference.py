"""The library's reference is that of its docstrings, and every public name has one with an example."""

from __future__ import annotations

import doctest
import inspect
import pydoc
import subprocess
import sys

import pytest

import meanface
import reference

SCRIPT = """\
from pathlib import Path

import meanface

result = meanface.run("sample", Path("results"), labels="parent_folder", workers=1, progress=False)
length: float = float((result.mean**2).sum())
names: list[str] = [name for name, count in result.outcomes.items() if count]
faces: list[meanface.Face] = meanface.embed("portrait.jpg", faces="all")
boxes: list[meanface.Box] = [face.box for face in faces]
try:
    meanface.open(result.address)
except meanface.DatasetNotFound as missing:
    print(missing, length, names, boxes[0].top + 1)
"""


def test_the_reference_is_fresh() -> None:
    assert reference.main(["--check"]) == 0


def test_examples_of_the_generator() -> None:
    assert doctest.testmod(reference).failed == 0


KINDS = ("Result", "Face", "Box", "Settings", "MeanfaceError")
FUNCTIONS = [name for name in meanface.__all__ if name.islower()]


@pytest.mark.parametrize("name", [*FUNCTIONS, *KINDS])
def test_public_names_have_an_example(name: str) -> None:
    found = reference.public(name)
    assert ">>> " in (inspect.getdoc(found) or "")


def test_every_error_is_public() -> None:
    from meanface import errors

    tree = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert tree <= set(meanface.__all__)
    assert all(issubclass(getattr(meanface, name), meanface.MeanfaceError) for name in tree)


def test_help_is_a_page() -> None:
    text = pydoc.plain(pydoc.render_doc(meanface))
    for part in ("Compute a result, read one", "run(dataset", "embed(image", "class Result", "NoFaceFound"):
        assert part in text, part


def test_the_import_is_cheap_and_names_are_loaded_on_demand() -> None:
    program = (
        "import sys, meanface; assert not {'numpy', 'pydantic', 'pyarrow', 'rich'} & sys.modules.keys();"
        "assert 'embed' in dir(meanface); meanface.SettingsError; assert 'numpy' not in sys.modules;"
        "from meanface import *; run, embed, Result"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        meanface.no_such_name  # noqa: B018 - to look it up is the test


@pytest.mark.long
def test_a_users_program_passes_mypy(tmp_path) -> None:
    (tmp_path / "program.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = SCRIPT.replace("list[str]", "list[int]")
    (tmp_path / "program.py").write_text(wrong)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
