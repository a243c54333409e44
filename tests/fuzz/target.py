"""What is fuzzed: a name, inputs by number, and what has to hold for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """A parser under fire.

    Parameters
    ----------
    name
        FAMILY.TARGET; the corpus has a folder of that name for inputs that once broke something
    make
        an input out of a random generator
    check
        parse the input: True if it was accepted, False if it was refused as the parser says it refuses; raises where
        anything else happens
    full
        inputs of a full run
    short
        inputs of the short run, beside the corpus
    """

    name: str
    make: Callable[[Random], bytes]
    check: Callable[[bytes], bool]
    full: int
    short: int

    def input(self, seed: int, number: int) -> bytes:
        """The input of that number: the same one on every machine."""
        return self.make(Random(f"{self.name}:{seed}:{number}"))

    def saved(self) -> list[Path]:
        """Inputs that were worth keeping."""
        return saved(self.name)


def saved(name: str) -> list[Path]:
    """Files of one folder of the corpus, sorted."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())


def seeds(name: str) -> list[bytes]:
    """What they hold."""
    return [path.read_bytes() for path in saved(name)]


def held(holds: bool, what: str) -> None:
    """Fail the input where something does not hold."""
    if not holds:
        raise AssertionError(what)
