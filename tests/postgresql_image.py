"""The stand-in for PostgreSQL's official image, where nothing can be pulled: see postgresql/Dockerfile."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

REPOSITORY, TAG = "meanface-test-postgresql", "15"


def build() -> str:
    """Build it, unless it exists already; its full name."""
    docker = os.environ.get("DOCKER", "docker")
    name = f"{REPOSITORY}:{TAG}"
    options = shlex.split(os.environ.get("DOCKER_BUILD_ARGS", ""))
    folder = Path(__file__).with_name("postgresql")
    subprocess.run([docker, "build", "--quiet", *options, "--tag", name, folder], check=True, capture_output=True)
    return name
