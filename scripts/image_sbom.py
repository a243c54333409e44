"""Add what an image has beside its locked Python packages to their SBOM: Debian's packages, and the interpreter.

python scripts/image_sbom.py SBOM IMAGE

SBOM is a CycloneDX file in JSON, which is written anew; IMAGE is run by `DOCKER`, without network.
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

TOLD = """
import json, platform, subprocess
listed = subprocess.check_output(["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\\n"], text=True)
packages = [line.split() for line in listed.splitlines()]
os = platform.freedesktop_os_release()
print(json.dumps({"python": platform.python_version(), "distribution": os["VERSION_ID"], "packages": packages}))
"""


class Told(TypedDict):
    """What an image tells about itself."""

    python: str
    distribution: str
    packages: list[tuple[str, str, str]]
    """name, version, architecture"""


def told(image: str) -> Told:
    """Ask the image."""
    command = [os.environ.get("DOCKER", "docker"), "run", "--rm", "--network=none", "--entrypoint=python3", image]
    answer: Told = json.loads(subprocess.run([*command, "-c", TOLD], check=True, stdout=subprocess.PIPE).stdout)
    return answer


def components(image: Told) -> Iterator[dict[str, str]]:
    """As CycloneDX has them."""
    version = image["python"]
    yield _component("application", "python", version, f"pkg:generic/python@{version}")
    for name, version, architecture in image["packages"]:
        at = f"{quote(name)}@{quote(version, safe='')}"
        of = f"arch={architecture}&distro=debian-{image['distribution']}"
        yield _component("library", name, version, f"pkg:deb/debian/{at}?{of}")


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main(sbom: Path, image: str) -> None:
    """Write the file anew."""
    content = json.loads(sbom.read_text())
    content["components"] += components(told(image))
    sbom.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
