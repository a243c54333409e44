"""What keeps one instruction set's code out of another's way."""

from __future__ import annotations

import re
from pathlib import Path

NATIVE = Path(__file__).parents[4] / "embedding_image" / "native"


def test_kernels_use_nothing_that_the_linker_could_share() -> None:
    """Inline functions of the library, compiled for a CPU's widest registers, could become everybody's copy."""
    allowed = {"<immintrin.h>", "<cstddef>", "<cstdint>", "<cstring>", '"../kernels.hpp"', '"geometry.hpp"'}
    sources = [*(NATIVE / "kernels").iterdir(), NATIVE / "kernels.hpp", NATIVE / "geometry.hpp"]
    own = {f'"{source.name}"' for source in (NATIVE / "kernels").iterdir()}
    included = {name for source in sources for name in re.findall(r"^#include (\S+)", source.read_text(), re.MULTILINE)}
    assert len(sources) > 5
    assert included <= allowed | own
