"""Runs a target's inputs in child processes, so that one which kills or stalls its process is found and named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.child import PROGRESS, SECONDS

PROCESSOR_SECONDS = SECONDS
SILENCE = 120.0
"""Seconds of waiting on one input after which its process is killed; processor time has a shorter limit of its own."""
ENDED = {signal.SIGVTALRM: "hang outside Python's own code"}
TESTS = Path(__file__).parent.parent


@dataclass
class Failure:
    """What one input did."""

    number: int
    kind: str
    detail: str


@dataclass
class Report:
    """What became of a target's inputs."""

    target: str
    seed: int
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    def explained(self) -> str:
        """One failure of each kind, with the command that repeats it."""
        kinds = {failure.kind: failure for failure in reversed(self.failures)}
        return "\n".join(
            f"{self.target}: {kind} ({sum(f.kind == kind for f in self.failures)} times), first with\n"
            f"    make fuzz TARGET={self.target} SEED={self.seed} FIRST={failure.number} COUNT=1\n{failure.detail}"
            for kind, failure in sorted(kinds.items())
        )


def run(target: str, seed: int, first: int, count: int) -> Report:
    """Run inputs `first` to `first + count`, going on behind each that ends its process."""
    report, end, started = Report(target, seed), first + count, time.monotonic()
    with tempfile.NamedTemporaryFile() as progress:
        path = Path(progress.name)
        while first < end:
            path.write_bytes(PROGRESS.pack(0, first, report.accepted, report.refused))
            ended, at = _child(report, first, end - first, path)
            *_, report.accepted, report.refused = PROGRESS.unpack(path.read_bytes())
            if not ended and at < end:
                ended = "left the process without an error"
            if ended:
                report.failures.append(Failure(at, ended, ""))
            first = at + 1
    report.inputs, report.seconds = report.accepted + report.refused + len(report.failures), time.monotonic() - started
    if not report.inputs:
        report.failures.append(Failure(first, "no input was run", ""))
    return report


def _child(report: Report, first: int, count: int, progress: Path) -> tuple[str, int]:
    """Run one process; how it ended, if not well, and the input that it was at."""
    numbers = map(str, (report.seed, first, count, PROCESSOR_SECONDS))
    command = [sys.executable, "-m", "fuzz.child", report.target, *numbers, str(progress)]
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH", ""))))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
        tempfile.TemporaryDirectory() as folder,
    ):
        child = subprocess.Popen(command, stdout=output, stderr=errors, env=environment | {"TMPDIR": folder})
        silent = _watched(child, progress)
        begun, at, *_ = PROGRESS.unpack(progress.read_bytes())
        for file in (output, errors):
            file.seek(0)
        report.failures += _told(output)
        if silent:
            return f"no answer within {SILENCE:.0f} s", at
        if child.returncode < 0:
            return ENDED.get(-child.returncode, f"killed by {signal.Signals(-child.returncode).name}"), at
        if not begun:
            raise RuntimeError(errors.read()[-2000:])
        return (f"exit code {child.returncode}: {errors.read()[-2000:]}" if child.returncode else ""), at


def _watched(child: subprocess.Popen[bytes], progress: Path) -> bool:
    """Wait for a process; whether it had to be killed because nothing happened any more."""
    seen, since = b"", time.monotonic()
    while True:
        try:
            child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            now = progress.read_bytes()
            if now != seen or not PROGRESS.unpack(now)[0]:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                child.kill()
                child.wait()
                return True
        else:
            return False


def _told(lines: Iterator[str]) -> Iterator[Failure]:
    for line in lines:
        yield Failure(**json.loads(line))
