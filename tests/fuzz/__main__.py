"""`make fuzz`: every target, or one; a table, and exit code 1 where something broke."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fuzz.driver import Report, run
from fuzz.families import target_named, targets
from fuzz.target import Target


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--target", nargs="*", help="only these")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--count", type=int, help="inputs; if not given, those of a full run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    asked = parser.parse_args()
    chosen = [target_named(name) for name in asked.target] if asked.target else targets()
    print(
        f"{'target':24} {'inputs':>9} {'accepted':>9} {'refused':>9} {'failed':>7} {'seconds':>8}   seed {asked.seed}"
    )
    total, began = Report("all", asked.seed), time.monotonic()
    with ThreadPoolExecutor(asked.jobs) as pool:
        for report in pool.map(partial(_run, asked), chosen):
            print(_line(report), flush=True)
            total.inputs, total.failures = total.inputs + report.inputs, total.failures + report.failures
            total.accepted, total.refused = total.accepted + report.accepted, total.refused + report.refused
            if report.failures:
                print(f"\n{report.explained()}", file=sys.stderr)
    if not chosen:
        print("no target was run", file=sys.stderr)
        return 1
    total.seconds = time.monotonic() - began
    print(_line(total))
    return 1 if total.failures else 0


def _run(asked: argparse.Namespace, target: Target) -> Report:
    if asked.count == 1:
        print(f"input {target.input(asked.seed, asked.first)!r}")
    return run(target.name, asked.seed, asked.first, target.full if asked.count is None else asked.count)


def _line(report: Report) -> str:
    counts = f"{report.inputs:9,} {report.accepted:9,} {report.refused:9,} {len(report.failures):7,}"
    return f"{report.target:24} {counts} {report.seconds:8.1f}"


if __name__ == "__main__":
    sys.exit(main())
