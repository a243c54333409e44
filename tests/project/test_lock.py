"""The locks are those of the projects, and the requirements files are those of the locks; nothing asks the network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lock import EXPORTS, UV, exported

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("project", [".", "embedding_image"])
def test_a_lock_is_that_of_its_project(project: str) -> None:
    command = [UV, "lock", "--check", "--offline", "--project", ROOT / project]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"`make lock` writes it: {done.stderr}"


@pytest.mark.parametrize("name", EXPORTS)
def test_a_requirements_file_is_that_of_its_lock(name: str) -> None:
    assert (ROOT / name).read_text() == exported(name), "`make lock` writes it"


def test_the_image_has_the_distribution_and_nothing_of_its_tests() -> None:
    text = exported("embedding_image/requirements.txt")
    assert "\nnumpy==" in text
    assert "\ndlib-bin==" in text
    assert "\ndlib==" not in text  # the sdist that face_recognition asks for
    assert "\npytest==" not in text
