"""A build's context has what its Dockerfile copies: BuildKit sends nothing that the ignore file leaves out."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
BUILDS = {
    "embedding_image/Dockerfile": ("embedding_image", "embedding_image/.dockerignore"),
    "airflow_image/Dockerfile": (".", "airflow_image/Dockerfile.dockerignore"),
}
"""Context and ignore file of each build."""


def sent(path: Path, rules: list[str]) -> bool:
    """Whether a file is part of the context: the last rule that names it or a folder of it decides."""
    found = True
    for rule in rules:
        named = rule.removeprefix("!").removeprefix("**/")
        names = [path, *path.parents]
        if any(fnmatch(str(name), named) or ("**/" in rule and fnmatch(name.name, named)) for name in names):
            found = rule.startswith("!")
    return found


def copied(dockerfile: Path) -> list[str]:
    """What a Dockerfile copies from its context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.mark.parametrize("build", BUILDS)
def test_copied_files_are_in_the_context(build: str) -> None:
    context, ignored = BUILDS[build]
    rules = [line for line in (CHECKOUT / ignored).read_text().splitlines() if line and not line.startswith("#")]
    sources = copied(CHECKOUT / build)
    assert len(sources) >= 5
    for source in sources:
        place = CHECKOUT / context / source
        files = [file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
        assert [file for file in files if sent(file.relative_to(CHECKOUT / context), rules)], source


def test_the_rules_are_read_as_docker_reads_them() -> None:
    rules = ["*", "!dags", "!one/file.py", "**/__pycache__"]
    assert sent(Path("dags/a.py"), rules)
    assert sent(Path("one/file.py"), rules)
    assert not sent(Path("one/other.py"), rules)
    assert not sent(Path("dags/__pycache__/a.pyc"), rules)
    assert not sent(Path("README.md"), rules)
