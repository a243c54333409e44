"""Prepare a release and check all of it, without publishing anything: docs/releasing.md.

.venvs/airflow/bin/python scripts/prepare_release.py COMMAND

bump 1.2.3      set the version everywhere, and date the changelog
versions        check that all files agree on the version [--tag v1.2.3]
build FOLDER    build both distributions and the chart, check them, and print where they would go
check FOLDER    check wheels and sdists, such as those of other machines
notes           print the changelog's section of the version
push-chart ARCHIVE oci://HOST/PATH
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from publishing import distributions, versions

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venvs/uv/bin/uv"
CHART = ROOT / "charts/meanface"
PROCESSORS = ("amd64", "arm64")


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="prepare_release.py", description="Prepare a release and check all of it.")
    commands = parser.add_subparsers(dest="command", required=True)
    bump = commands.add_parser("bump", help="set the version everywhere, and date the changelog")
    bump.add_argument("version")
    check_versions = commands.add_parser("versions", help="check that all files agree on the version")
    check_versions.add_argument("--tag", help="check also that this git tag names it, and that the changelog has it")
    build = commands.add_parser("build", help="build both distributions and the chart, and check them")
    build.add_argument("folder", type=Path)
    build.add_argument("--registry", default="registry.example/faces", help="where the images would be pushed")
    check = commands.add_parser("check", help="check the wheels and sdists of a folder")
    check.add_argument("folder", type=Path)
    commands.add_parser("notes", help="print the changelog's section of the version")
    push = commands.add_parser("push-chart", help="push the chart's archive, and print the digest of its manifest")
    push.add_argument("archive", type=Path)
    push.add_argument("remote", help="oci://HOST/PATH")
    push.add_argument("--plain-http", action="store_true", help="for a registry on this machine")
    return parser.parse_args(words)


def build(folder: Path, registry: str) -> None:
    """Build and check what a release publishes, and print where each part would go."""
    from publishing import chart

    version = versions.agreed(ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise versions.ReleaseError(f"{folder} is not empty; name a new folder")
    files = distributions.build(ROOT, UV, folder)
    distributions.check(ROOT, UV, files, version)
    archive = chart.package(CHART, folder, registry)
    chart.check(archive, version, registry)
    print(f"meanface {version} is complete. A release pushes:")
    for file in files:
        built_here = " (one of each system, by .github/workflows/wheels.yml)" if "linux_" in file.name else ""
        print(f"  PyPI   {file.name}{built_here}")
    for name in chart.OUR_IMAGES:
        print(f"  image  {registry}/{name}:{version} for {' and '.join(PROCESSORS)}")
    print(f"  chart  oci://{registry}/charts/meanface:{version}")


def check(folder: Path) -> None:
    """Check wheels and sdists, such as those of several machines."""
    files = distributions.distributions(folder)
    if not files:
        raise versions.ReleaseError(f"{folder} has no wheels and no sdists")
    distributions.check(ROOT, UV, files, versions.agreed(ROOT))


def bump(version: str) -> None:
    """Set a new version, and say what is next."""
    for file in versions.bump(ROOT, version, datetime.now(UTC).date().isoformat()):
        print(f"changed {file}")
    print(f"next: read the diff, commit it, and tag it: git tag --sign v{version}")


def main(words: list[str]) -> int:
    """Run one command; the exit status."""
    given = arguments(words)
    try:
        match given.command:
            case "bump":
                bump(given.version)
            case "versions":
                if given.tag:
                    versions.check_tag(ROOT, given.tag)
                print(versions.agreed(ROOT))
            case "build":
                build(given.folder, given.registry)
            case "check":
                check(given.folder)
            case "notes":
                print(versions.notes(ROOT, versions.agreed(ROOT)), end="")
            case "push-chart":
                from publishing import chart

                print(chart.push(given.archive, given.remote, plain_http=given.plain_http))
    except (versions.ReleaseError, subprocess.CalledProcessError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
