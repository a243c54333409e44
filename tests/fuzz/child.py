"""A process that runs inputs of one target, and reports its progress and failures.

`python -m fuzz.child TARGET SEED FIRST COUNT SECONDS PROGRESS`: PROGRESS is a file of four 64-bit integers, which
outlive a crash: whether the process has begun, the input at work, and how many were accepted and refused. Failures are
lines of JSON on the output. One that is in C, where no Python handler runs, ends the process by a signal.
"""

from __future__ import annotations

import json
import mmap
import resource
import signal
import struct
import sys
import traceback
from pathlib import Path

from fuzz.families import target_named
from fuzz.target import Target

SECONDS = 10
"""Processor time of one input at most: a busy machine makes no hang."""
MEMORY = 256 << 20
"""Bytes by which one input may raise the process's peak memory."""
ADDRESSES = 8 << 30
"""Bytes of address space: an allocation beyond is refused, so that the machine lives on."""
PROGRESS = struct.Struct("<4q")


class Hang(BaseException):
    """An input took too long; no parser's `except Exception` is to catch it."""


def _hang(*_: object) -> None:
    raise Hang("too much processor time")


def peak() -> int:
    """Most bytes of memory since `forget_peak`; `getrusage` would count its parent's, from before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def forget_peak() -> None:
    """Have the peak begin with what there is now: an earlier input's must not hide a later one's."""
    Path("/proc/self/clear_refs").write_text("5")


def failed(target: Target, data: bytes, seconds: float = SECONDS) -> tuple[bool, dict[str, str] | None]:
    """Whether one input was accepted, and what went wrong, if anything did."""
    forget_peak()
    before = peak()
    signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        accepted = target.check(data)
    except (Exception, Hang) as wrong:
        where = traceback.extract_tb(wrong.__traceback__)[-1]
        place = f"{type(wrong).__name__} in {Path(where.filename).name}:{where.name}"
        return False, {"kind": place, "detail": traceback.format_exc()}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = peak() - before
    if grown > MEMORY:
        return accepted, {"kind": "memory", "detail": f"{grown >> 20} MiB more than before"}
    return accepted, None


def main() -> None:
    """Run the inputs that the command line names."""
    name, seed, first, count, seconds, progress = sys.argv[1:]
    target = target_named(name)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)  # the kernel's own: C code does not wait for it
    with Path(progress).open("r+b") as file, mmap.mmap(file.fileno(), PROGRESS.size) as shown:
        _, _, yes, no = PROGRESS.unpack(shown[:])
        number = int(first)
        while number < int(first) + int(count):
            shown[:] = PROGRESS.pack(1, number, yes, no)
            signal.setitimer(signal.ITIMER_VIRTUAL, 2 * float(seconds))
            accepted, wrong = failed(target, target.input(int(seed), number), float(seconds))
            yes, no = (yes, no) if wrong else (yes + accepted, no + (not accepted))
            if wrong:
                print(json.dumps({"number": number, **wrong}), flush=True)
            number += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        shown[:] = PROGRESS.pack(1, number, yes, no)


if __name__ == "__main__":
    main()
