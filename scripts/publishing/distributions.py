"""The distributions `meanface` and `meanface-airflow`: build them, and check their metadata and contents."""

from __future__ import annotations

import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from publishing.versions import ReleaseError

TWINE = "twine==7.0.0"
EXTENSION = r"meanface/embedder/_native(\.[a-z0-9_-]+)?\.so"


class Distribution(NamedTuple):
    """A distribution of this repository."""

    name: str
    folder: str
    """of its pyproject.toml"""
    package: str
    """path of the package below that folder"""
    in_sources: tuple[str, ...]
    """what its sdist has beside the package and `PKG-INFO`: files and folders below that folder"""

    @property
    def stem(self) -> str:
        """The name as file names have it."""
        return self.name.replace("-", "_")


MEANFACE = Distribution("meanface", "embedding_image", "src/meanface", ("LICENSE", "README.md", "native"))
AIRFLOW = Distribution("meanface-airflow", "plugins", "meanface_airflow", ("LICENSE", "README.md", ".gitignore"))
DISTRIBUTIONS = (MEANFACE, AIRFLOW)


def build(root: Path, uv: Path, folder: Path) -> list[Path]:
    """Build each sdist, and a wheel from it, so that the sdist is known to be complete."""
    for each in DISTRIBUTIONS:
        source = root / each.folder
        subprocess.run([uv, "build", "--quiet", "--no-create-gitignore", "--out-dir", folder, source], check=True)
    return distributions(folder)


def distributions(folder: Path) -> list[Path]:
    """The wheels and sdists of a folder."""
    return sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])


def check(root: Path, uv: Path, files: Iterable[Path], version: str) -> None:
    """Check what PyPI would be given: twine's rules, then name, version and contents of each file."""
    files = list(files)
    subprocess.run([uv, "tool", "run", "--quiet", TWINE, "check", "--strict", *files], check=True)
    for file in files:
        check_contents(root, file, version)


def check_contents(root: Path, file: Path, version: str) -> None:
    """Check that a file has its distribution's tracked files, and nothing else: no test, no photo, no cache."""
    each = _distribution(file)
    wheel = file.suffix == ".whl"
    text, names = _read_wheel(file) if wheel else _read_sdist(file)
    metadata = HeaderParser().parsestr(text)
    if (metadata["Name"], metadata["Version"]) != (each.name, version):
        raise ReleaseError(f"{file.name}: {metadata['Name']} {metadata['Version']}, expected {each.name} {version}")
    expected = set(_wheel_files(root, each) if wheel else _sdist_files(root, each))
    if wheel and each is MEANFACE:
        native = {name for name in names if re.fullmatch(EXTENSION, name)}
        if not native:
            raise ReleaseError(f"{file.name}: it has no native extension; install a C++17 compiler and build again")
        names -= native
    if missing := sorted(expected - names):
        raise ReleaseError(f"{file.name}: these files are missing: {', '.join(missing)}")
    if surplus := sorted(names - expected):
        raise ReleaseError(f"{file.name}: these files do not belong into it: {', '.join(surplus)}")


def _distribution(file: Path) -> Distribution:
    stem = file.name.split("-", 1)[0]
    for each in DISTRIBUTIONS:
        if each.stem == stem:
            return each
    raise ReleaseError(f"{file.name} is no distribution of this repository; remove it")


def _read_wheel(file: Path) -> tuple[str, set[str]]:
    """The metadata, and the names outside `*.dist-info`."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        beside = metadata.removesuffix("METADATA")
        if f"{beside}licenses/LICENSE" not in names:
            raise ReleaseError(f"{file.name}: it has no licence; add LICENSE to the folder of its pyproject.toml")
        return archive.read(metadata).decode(), {name for name in names if not name.startswith(beside)}


def _read_sdist(file: Path) -> tuple[str, set[str]]:
    """The metadata, and the names below the archive's one folder."""
    with tarfile.open(file) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()}
        top = file.name.removesuffix(".tar.gz")
        metadata = archive.extractfile(f"{top}/PKG-INFO")
        return metadata.read().decode() if metadata else "", names


def _tracked(root: Path, path: str) -> Iterator[str]:
    command: list[str | Path] = ["git", "-C", root, "ls-files", "-z", "--", path]
    listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return (name for name in listed.split("\0") if name)


def _wheel_files(root: Path, each: Distribution) -> Iterator[str]:
    package = f"{each.folder}/{each.package}"
    parent = str(PurePosixPath(package).parent)
    return (str(PurePosixPath(name).relative_to(parent)) for name in _tracked(root, package))


def _sdist_files(root: Path, each: Distribution) -> Iterator[str]:
    yield "PKG-INFO"
    for path in (each.package, "pyproject.toml", *each.in_sources):
        if path == ".gitignore":  # hatchling adds the repository's
            yield path
        for name in _tracked(root, f"{each.folder}/{path}"):
            yield str(PurePosixPath(name).relative_to(each.folder))
