"""Add an image's Debian packages and its Python interpreter to the SBOM of its Python packages.

Usage: python scripts/image_sbom.py SBOM IMAGE

SBOM is a CycloneDX file in JSON, which is overwritten. IMAGE is run with `DOCKER`, without network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

SCRIPT = """
import json, platform, subprocess
listed = subprocess.check_output(["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\\n"], text=True)
packages = [line.split() for line in listed.splitlines()]
os = platform.freedesktop_os_release()
print(json.dumps({"python": platform.python_version(), "distribution": os["VERSION_ID"], "packages": packages}))
"""


class Contents(TypedDict):
    """What an image contains besides Python packages."""

    python: str
    distribution: str
    packages: list[tuple[str, str, str]]
    """name, version, architecture"""


def contents(image: str) -> Contents:
    """List an image's contents by running a script in it."""
    command = [os.environ.get("DOCKER", "docker"), "run", "--rm", "--network=none", "--entrypoint=python3", image]
    listed: Contents = json.loads(subprocess.run([*command, "-c", SCRIPT], check=True, stdout=subprocess.PIPE).stdout)
    return listed


def components(image: Contents) -> Iterator[dict[str, str]]:
    """The contents as components of CycloneDX."""
    version = image["python"]
    yield _component("application", "python", version, f"pkg:generic/python@{version}")
    for name, version, architecture in image["packages"]:
        at = f"{quote(name)}@{quote(version, safe='')}"
        of = f"arch={architecture}&distro=debian-{image['distribution']}"
        yield _component("library", name, version, f"pkg:deb/debian/{at}?{of}")


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main(sbom: Path, image: str) -> None:
    """Add an image's components to an SBOM."""
    content = json.loads(sbom.read_text())
    content["components"] += components(contents(image))
    sbom.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
