"""Which detector runs: the choice of whoever starts a process, and what this machine can do."""

from __future__ import annotations

from enum import StrEnum

from meanface.errors import SettingsError


class DetectorChoice(StrEnum):
    """What `MEANFACE_DETECTOR` may say. It decides how fast faces are found, never which."""

    AUTO = "auto"
    """the fastest that this machine has"""
    NATIVE = "native"
    """the fastest native one; an error where there is none"""
    AVX512 = "avx512"
    """native, with AVX-512 VNNI"""
    AVX2 = "avx2"
    """native, with AVX2"""
    DLIB = "dlib"
    """dlib's own"""

    @classmethod
    def of(cls, text: str | None) -> DetectorChoice:
        """The choice in an environment variable; `auto` if it is not set.

        Raises
        ------
        SettingsError
            for another word
        """
        try:
            return cls(text or cls.AUTO)
        except ValueError:
            raise SettingsError(f"MEANFACE_DETECTOR={text!r}: expected one of {', '.join(cls)}") from None


def usable_kernels() -> list[str]:
    """Kernels of the native detector that this machine can run, the best first; none where it was not built."""
    try:
        from meanface.embedder.detector import _native
    except ImportError:
        return []
    return _native.kernels()


def kernels_for(choice: DetectorChoice) -> str | None:
    """The native detector's kernels that a choice comes to on this machine, or None for dlib's own detector.

    Raises
    ------
    SettingsError
        if this machine cannot do what was asked for
    """
    if choice is DetectorChoice.DLIB:
        return None
    usable = usable_kernels()
    if choice is DetectorChoice.AUTO:
        return usable[0] if usable else None
    wanted = [name for name in usable if choice is DetectorChoice.NATIVE or name == choice]
    if not wanted:
        has = f"this CPU has {', '.join(usable)}" if usable else "the native detector is not there: " + HOW_TO_BUILD
        raise SettingsError(f"MEANFACE_DETECTOR={choice}: {has}; auto takes what there is")
    return wanted[0]


HOW_TO_BUILD = "it needs an x86-64 CPU with AVX2, and a C++17 compiler when meanface is installed"


def detector_name(choice: DetectorChoice) -> str:
    """What runs, for people: `native-avx512`, `native-avx2` or `dlib`."""
    kernels = kernels_for(choice)
    return f"native-{kernels}" if kernels else "dlib"
