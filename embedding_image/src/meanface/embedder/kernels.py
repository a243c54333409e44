"""Which compiled code this machine is to run: for speed, never for the result."""

from __future__ import annotations

from enum import StrEnum

from meanface.errors import SettingsError


class KernelChoice(StrEnum):
    """Values of `MEANFACE_KERNELS`: the kernels of detector, landmarks and network.

    They decide the speed and never a bit of the result.
    """

    AUTO = "auto"
    """the fastest that this machine has"""
    NATIVE = "native"
    """the fastest native ones; an error if there are none"""
    AVX512 = "avx512"
    """x86-64 with AVX-512 VNNI"""
    AVX2 = "avx2"
    """x86-64 with AVX2"""
    DOTPROD = "dotprod"
    """64-bit ARM with dot products of bytes, as of ARMv8.2"""
    NEON = "neon"
    """any 64-bit ARM"""
    DLIB = "dlib"
    """dlib's own detector and landmarks, beside the native network: its bits are part of the recipe"""

    @classmethod
    def of(cls, text: str | None) -> KernelChoice:
        """Parse the environment variable; `auto` if not set, SettingsError if invalid."""
        try:
            return cls(text or cls.AUTO)
        except ValueError:
            raise SettingsError(f"MEANFACE_KERNELS={text!r}: expected one of {', '.join(cls)}") from None
