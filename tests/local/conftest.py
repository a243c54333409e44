"""What the tests of the laptop share, and photos that take their time."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def slow(tmp_path_factory):
    """A folder of photos that takes minutes: 200 times the same large grey square."""
    side = 1500
    folder = tmp_path_factory.mktemp("slow")
    pixels = bytes([128]) * (3 * side * side)
    header = struct.pack("<2sIII IiiHHIIiiII", b"BM", 54 + len(pixels), 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    (folder / "000.bmp").write_bytes(header + pixels)
    for number in range(1, 200):
        (folder / f"{number:03}.bmp").hardlink_to(folder / "000.bmp")
    return folder
