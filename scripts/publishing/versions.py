"""The version, in every file that states it, and the changelog's section of a release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NUMBER = r"\d+\.\d+\.\d+"

STATED = (
    ("embedding_image/pyproject.toml", rf'(?m)^version = "({NUMBER})"$'),
    ("embedding_image/uv.lock", rf'(?m)^name = "meanface"\nversion = "({NUMBER})"$'),
    ("plugins/meanface_airflow/__init__.py", rf'(?m)^__version__ = "({NUMBER})"$'),
    ("charts/meanface/Chart.yaml", rf"(?m)^version: ({NUMBER})$"),
    ("charts/meanface/Chart.yaml", rf'(?m)^appVersion: "({NUMBER})"$'),
)
"""Files that state the version, each once by its pattern. The others must agree with the first."""

EXAMPLES = (
    *("README.md", "docs/*.md", "plugins/README.md", "charts/meanface/README.md"),
    *("airflow_image/Dockerfile", ".github/workflows/*.yml"),
)
"""Files whose commands may name an image with its tag."""

TAGS = rf"(?:\bmeanface(?:-airflow)?:|IMAGE_TAG=)({NUMBER})"

CHANGELOG = "CHANGELOG.md"
UNRELEASED = "## [Unreleased]\n"


class ReleaseError(Exception):
    """The release cannot continue; the message names the file and what to do."""


class Place(NamedTuple):
    """One statement of the version."""

    file: str
    line: int
    version: str
    start: int
    """where the version begins in the file's text"""


def places(root: Path) -> Iterator[Place]:
    """Every statement of the version below a checkout."""
    for file, pattern in STATED:
        found = [*_found(root, file, pattern)]
        if len(found) != 1:
            raise ReleaseError(f"{file}: expected one version that matches {pattern}, found {len(found)}")
        yield from found
    for glob in EXAMPLES:
        for path in sorted(root.glob(glob)):
            yield from _found(root, str(path.relative_to(root)), TAGS)


def _found(root: Path, file: str, pattern: str) -> Iterator[Place]:
    text = (root / file).read_text()
    for match in re.finditer(pattern, text):
        yield Place(file, text.count("\n", 0, match.start(1)) + 1, match[1], match.start(1))


def agreed(root: Path) -> str:
    """The version, if all files agree on it."""
    first, *others = places(root)
    wrong = [f"{each.file}:{each.line} has {each.version}" for each in others if each.version != first.version]
    if wrong:
        raise ReleaseError(
            f"{first.file} has version {first.version}, but {', '.join(wrong)}; "
            "`scripts/prepare_release.py bump VERSION` sets all of them"
        )
    return first.version


def notes(root: Path, version: str) -> str:
    """The changelog's section of a version, without its heading."""
    text = (root / CHANGELOG).read_text()
    match = re.search(rf"(?ms)^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|\Z)", text)
    if not match or not match[1].strip():
        raise ReleaseError(f"{CHANGELOG} has no section `## [{version}] - YYYY-MM-DD` with text; write one")
    return match[1].strip() + "\n"


def check_tag(root: Path, tag: str) -> None:
    """Check that a git tag names the version, and that the changelog describes it."""
    version = agreed(root)
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, but the files have version {version}; tag v{version}")
    notes(root, version)


def bump(root: Path, version: str, date: str) -> list[str]:
    """Set the version everywhere, and date the changelog's unreleased section; the changed files."""
    if not re.fullmatch(NUMBER, version):
        raise ReleaseError(f"{version}: expected three numbers, such as 1.2.3")
    old = agreed(root)
    if _numbers(version) <= _numbers(old):
        raise ReleaseError(f"{version} is not newer than {old}, the version that the files have")
    changelog = (root / CHANGELOG).read_text()
    if not changelog.partition(UNRELEASED)[2].partition("\n## [")[0].strip():
        raise ReleaseError(f"{CHANGELOG} has nothing under {UNRELEASED.strip()}; describe what users will notice")
    found = list(places(root))
    for file in sorted({each.file for each in found}):
        text = (root / file).read_text()
        for place in sorted((each for each in found if each.file == file), key=lambda each: -each.start):
            text = text[: place.start] + version + text[place.start + len(old) :]
        (root / file).write_text(text)
    (root / CHANGELOG).write_text(changelog.replace(UNRELEASED, f"{UNRELEASED}\n## [{version}] - {date}\n", 1))
    return sorted({CHANGELOG, *(each.file for each in found)})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
