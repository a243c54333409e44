"""What keeps one instruction set's code out of another's way."""

from __future__ import annotations

import re
from pathlib import Path

NATIVE = Path(__file__).parents[4] / "embedding_image" / "native"


def test_kernels_use_nothing_that_the_linker_could_share() -> None:
    """Inline functions of the library, compiled for a CPU's widest registers, could become everybody's copy."""
    allowed = {
        "<arm_neon.h>",
        "<immintrin.h>",
        "<cstddef>",
        "<cstdint>",
        "<cstring>",
        '"../kernels.hpp"',
        '"geometry.hpp"',
    }
    folders = [NATIVE / "kernels", NATIVE / "network/kernels"]
    headers = [NATIVE / "kernels.hpp", NATIVE / "geometry.hpp", NATIVE / "network/kernels.hpp"]
    kernels = [source for folder in folders for source in folder.rglob("*.?pp")]
    sources = [*kernels, *headers]
    own = {f'"{source.relative_to(folder)}"' for source in kernels for folder in source.parents[:2]}
    included = {name for source in sources for name in re.findall(r"^#include (\S+)", source.read_text(), re.MULTILINE)}
    assert len(sources) > 10
    assert included <= allowed | own
