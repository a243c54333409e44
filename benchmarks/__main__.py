"""Measure the figures in README and docs; `make bench` runs the first four parts."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import avx2_cpu
from benchmarks.table import Goal, print_goals
from meanface.embedder.detector import usable_kernels
from meanface.system import available_cpus

PHOTOS = 700
"""photos of a dataset, by default"""


def main() -> None:
    """Run the chosen parts and print their figures and goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; by default {', '.join(USUAL)}")
    parser.add_argument("--dataset", default="sample", help="photos, as for `meanface run`")
    parser.add_argument("--photos", type=int, help="number of photos; a smaller dataset is repeated")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement")
    parser.add_argument("--minutes", type=float, default=10, help="duration of the soak")
    parser.add_argument("--avx2", action="store_true", help="let all code see a CPU without AVX-512")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")

    if arguments.avx2 and not avx2_cpu.confined():
        try:
            variables = avx2_cpu.environment()
        except RuntimeError as error:
            parser.error(f"--avx2: {error}")
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], os.environ | variables)

    print(f"{_processor()}, {available_cpus()} cores, kernels {', '.join(usable_kernels()) or 'none'}; ", end="")
    print(f"Python {platform.python_version()}")
    parts = arguments.parts or (CONFINED if arguments.avx2 else USUAL)
    goals = [goal for part in parts for goal in PARTS[part](arguments)]
    if goals:
        print_goals(goals)


def _contenders(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.contenders import compare

    return compare(arguments.dataset, arguments.photos or PHOTOS, arguments.rounds)


def _stages(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.stages import stages

    return stages(arguments.dataset, (arguments.photos or PHOTOS) // 10, arguments.rounds)


def _start(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.start import start_up

    return start_up(3 * arguments.rounds)


def _instructions(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.instructions import instructions

    return instructions(arguments.dataset)


def _growth(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.growth import growth

    return growth(arguments.dataset)


def _large(_: argparse.Namespace) -> list[Goal]:
    from benchmarks.large import large

    return large()


def _dag(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.dag import dag

    return dag(arguments.dataset, arguments.rounds)


def _scale(_: argparse.Namespace) -> list[Goal]:
    from benchmarks.scale import scale

    return scale()


def _plan(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.synthetic_bucket import plans

    return plans(arguments.photos or 10_000_000)


def _soak(arguments: argparse.Namespace) -> list[Goal]:
    from benchmarks.soak import soak

    return soak(arguments.dataset, arguments.minutes)


PARTS: dict[str, Callable[[argparse.Namespace], list[Goal]]] = {
    "contenders": _contenders,
    "stages": _stages,
    "start": _start,
    "instructions": _instructions,
    "growth": _growth,
    "large": _large,
    "dag": _dag,
    "scale": _scale,
    "plan": _plan,
    "soak": _soak,
}
USUAL = ("contenders", "stages", "start", "instructions")
CONFINED = ("contenders", "stages")
"""with `--avx2`; Valgrind has a CPU of its own"""


def _processor() -> str:
    """The processor's name."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


if __name__ == "__main__":
    main()
