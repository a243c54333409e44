"""Settings of the machine for all tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2_000_000_000
"""bytes; the tests of one session take a quarter of it"""

# As in the command: more threads would only spin beside other processes. NumPy reads it when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Tests write thousands of small files and sync most of them, which takes a disk longer than all the rest. Some systems
# allow no programs on the file system in memory, and some tests write programs.
if (
    os.access(MEMORY, os.W_OK)
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    and shutil.disk_usage(MEMORY).free > ROOM
):
    os.environ.setdefault("TMPDIR", str(MEMORY))
    tempfile.tempdir = None  # read the variable again
