"""Pin every package with its hashes: two `uv.lock`, and the requirements files that pip installs from.

    python scripts/lock.py [--upgrade]

Versions stay as they are pinned, unless a pyproject.toml asks for others, or `--upgrade` for the newest ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venvs/uv/bin/uv"

IMAGE = ("--extra", "metrics", "--extra", "redis", "--extra", "reference", "--extra", "s3")
"""Extras of meanface that its image has."""

EXPORTS = {
    "requirements.txt": (".", "--no-dev"),
    "requirements-uv.txt": (".", "--only-group", "uv"),
    "embedding_image/requirements.txt": ("embedding_image", "--no-dev", *IMAGE),
    "embedding_image/requirements-build.txt": ("embedding_image", "--only-group", "build"),
}
"""Requirements file -> its project, and the part of that project's lock."""

BENCHMARKS = ("benchmarks/deepface", "benchmarks/openblas")
"""Environments whose packages conflict with the others; each has its own list and lock."""


def uv(*words: str) -> str:
    """Run uv; its output."""
    return subprocess.run([UV, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def exported(name: str) -> str:
    """The text of a requirements file, from its project's lock; needs no network."""
    project, *part = EXPORTS[name]
    options = ["--frozen", "--quiet", "--no-emit-project", "--no-header", "--project", project]
    return f"# Written by `make lock` from {Path(project) / 'uv.lock'}.\n{uv('export', *options, *part)}"


def main(options: list[str]) -> None:
    """Write all locks."""
    for project in (".", "embedding_image"):
        uv("lock", "--python", sys.executable, "--project", project, *options)
    for name in EXPORTS:
        (ROOT / name).write_text(exported(name))
    for name in BENCHMARKS:
        compiled = ["pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
        uv(*compiled, "--custom-compile-command", "make lock", f"{name}.in", "-o", f"{name}.txt", *options)


if __name__ == "__main__":
    main(sys.argv[1:])
