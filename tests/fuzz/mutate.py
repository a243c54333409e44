"""Inputs that are nearly right: bytes and JSON, changed at random.

Everything here is a function of the random generator it is given, so that an input can be made again from its number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

LARGEST = 1 << 16
"""Bytes of an input at most: what breaks a parser is seldom long, and short inputs are fast."""

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), "", "0", "a" * 500, "\0", "\ud800", "é", "../../etc", "<img src=x>", [], {}),
    *([[]], {"": 0}, [None], {"schema": 1}),
)
"""What a field of a JSON record may hold, but for the right thing."""


class Mutator:
    """Makes inputs out of seeds.

    Parameters
    ----------
    seeds
        good inputs
    words
        pieces that mean something in the format, for putting in
    """

    def __init__(self, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> None:
        self._seeds, self._words = seeds, words
        self._changes: tuple[Callable[[Random, bytearray], None], ...] = (
            *(_flip, _flip, _byte, _cut, _remove, _repeat, _noise, _integer, _integer, _digits, self._splice),
            *((self._word, self._word) if words else ()),
        )

    def __call__(self, random: Random) -> bytes:
        """A seed with some changes; now and then none, and seldom nothing but noise."""
        if random.random() < 0.01:
            return random.randbytes(random.randrange(200))
        data = bytearray(random.choice(self._seeds))
        return self.changed(random, data)

    def changed(self, random: Random, data: bytes | bytearray) -> bytes:
        """The data with some changes."""
        data = bytearray(data)
        for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3, 5, 9))):
            random.choice(self._changes)(random, data)
        return bytes(data[:LARGEST])

    def _splice(self, random: Random, data: bytearray) -> None:
        other = random.choice(self._seeds)
        start, end = _slice(random, other)
        at = random.randint(0, len(data))
        data[at : at + random.choice((0, end - start, len(data)))] = other[start:end]

    def _word(self, random: Random, data: bytearray) -> None:
        word, at = random.choice(self._words), random.randint(0, len(data))
        data[at : at + random.choice((0, len(word)))] = word


def _slice(random: Random, data: bytes | bytearray) -> tuple[int, int]:
    """A piece, short ones being more likely."""
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 2, 4, 16, 64, 256, len(data))))


def _flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _byte(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randint(0, len(data)) :]


def _remove(random: Random, data: bytearray) -> None:
    start, end = _slice(random, data)
    del data[start:end]


def _repeat(random: Random, data: bytearray) -> None:
    start, end = _slice(random, data)
    if len(data) < LARGEST:
        data[end:end] = data[start:end] * random.choice((1, 1, 2, 10))


def _noise(random: Random, data: bytearray) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.randbytes(random.choice((1, 2, 8, 64)))


def _integer(random: Random, data: bytearray) -> None:
    """A length, offset or count becomes another: an extreme one, or a neighbour of what it was."""
    width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    if len(data) < width:
        return
    at = random.randint(0, len(data) - width)
    was = int.from_bytes(data[at : at + width], order)  # one of the two words
    value = random.choice((random.choice(NUMBERS), was + random.choice((-2, -1, 1, 2)), was * 2, -was))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)  # likewise


def _digits(random: Random, data: bytearray) -> None:
    """A number in text becomes another."""
    places = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    if places:
        at = random.choice(places)
        data[at : at + random.choice((1, 1, 4))] = str(random.choice(NUMBERS)).encode()


def json_changed(random: Random, record: Any) -> Any:
    """A copy of a JSON value with some of its parts replaced, left out, doubled or renamed."""
    changed = json.loads(json.dumps(record))
    for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
        places = list(_places(changed))
        if not places:
            return random.choice(VALUES)
        holder, key = random.choice(places)
        others, other = random.choice(places)
        match random.randrange(6):
            case 0:
                del holder[key]
            case 1:
                holder[key] = others[other]  # which may hold it: `_copy` cuts that off
            case 2 if isinstance(holder, dict):
                holder[random.choice(("extra", "", "schema", "index", "\ud800"))] = holder.pop(key)
            case 3 if isinstance(holder[key], int):
                holder[key] += random.choice((-1, 1, 2**63))
            case _:
                holder[key] = random.choice(VALUES)
        changed = _copy(changed)
    return changed


def _copy(value: Any, depth: int = 0) -> Any:
    """Without shared parts, so that the next change is of one place; what holds itself is cut off."""
    if depth > 60:
        return None
    if isinstance(value, dict):
        return {key: _copy(each, depth + 1) for key, each in value.items()}
    return [_copy(each, depth + 1) for each in value] if isinstance(value, list) else value


def _places(value: Any) -> Any:
    """Every (container, key) in a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield value, key
        yield from _places(each)


def json_text(random: Random, record: Any, mutator: Mutator) -> bytes:
    """A JSON record with changes, as text; sometimes the text has changes, too, or nests deeply."""
    text = json.dumps(json_changed(random, record), ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")
    if random.random() < 0.02:
        depth = random.choice((100, 1000, 20_000))
        return random.choice((b"[" * depth, b'{"a":' * depth, text.replace(b"null", b"[" * depth + b"]" * depth)))
    return mutator.changed(random, text) if random.random() < 0.3 else text
