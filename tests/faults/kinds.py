"""The kinds of faults: how each strikes, how it heals, and what a run that it stops may say."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

from faults.place import Place
from faults.proxy import Proxy
from faults.smalldisk import SmallDisk


@dataclass(frozen=True)
class Ground:
    """What a schedule's faults may lay hands on."""

    place: Place
    redis: Proxy
    s3: Proxy | None
    disk: SmallDisk
    random: Random
    photo: Path
    """one of the photos, for faults that change a photo"""


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Parameters
    ----------
    name
        as in the table of outcomes
    words
        what an error that it causes says (regular expression)
    strike
        makes it happen at a step; False if it cannot just now
    heal
        takes it back
    script
        what it does to the process itself, given the number of the process's steps
    needs
        `mount`, `s3`, or a `folder` as storage
    stages
        first words of the stages that it strikes
    passes
        whether it heals by itself
    rival
        `at once` or `late`: another attempt at the stage, and when it ends
    overtaken
        whether the run is planned again, and embedded, while that attempt stands still
    flaps
        whether the ground's photo may end as `unreadable`
    """

    name: str
    words: str
    strike: Callable[[Ground], bool] | None = None
    heal: Callable[[Ground], None] = lambda _: None
    script: Callable[[Random, int], dict[str, Any]] | None = None
    needs: str = ""
    stages: tuple[str, ...] = ("plan", "embed", "reduce")
    passes: bool = False
    rival: str = ""
    overtaken: bool = False
    flaps: bool = False


def _killed(random: Random, steps: int) -> dict[str, Any]:
    return {"die_at": random.randint(1, steps)}


def _cut_off(random: Random, steps: int) -> dict[str, Any]:
    return {"die_at": random.randint(1, steps), "power_cut": True}


def _jumps(random: Random, steps: int) -> dict[str, Any]:
    return {"clock_at": random.randint(1, steps), "clock_by": random.choice([-1, 1]) * 10 ** random.uniform(0, 8)}


def _restarts(ground: Ground) -> bool:
    ground.place.valkey.kill()
    ground.place.valkey.start()
    return True


def _stays_away(ground: Ground) -> bool:
    ground.place.valkey.kill()
    return True


def _forgets(ground: Ground) -> bool:
    ground.place.valkey.kill()
    ground.place.valkey.lose(ground.random.randrange(200_000))
    ground.place.valkey.start()
    return True


def _stops(ground: Ground) -> bool:
    ground.place.valkey.pause()
    return True


def _hiccups(ground: Ground) -> bool:
    ground.place.valkey.pause()
    Timer(ground.random.uniform(0.05, 1.5), ground.place.valkey.resume).start()
    return True


def _slows(ground: Ground) -> bool:
    ground.redis.delay = ground.random.uniform(0.001, 0.02)
    return True


def _cuts(ground: Ground) -> bool:
    for _ in range(ground.random.randint(1, 3)):
        ground.redis.cut(ground.random.choice([0, 1, 5, 50, 5000]))
    return True


def _fills_memory(ground: Ground) -> bool:
    ground.place.valkey.fill(ground.random.randrange(-100_000, 200_000))
    return True


def _locks(ground: Ground) -> bool:
    ground.place.valkey.lock()
    return True


def _fills_storage(ground: Ground) -> bool:
    ground.disk.fill(ground.random.randrange(8))
    return True


def _refuses(ground: Ground) -> bool:
    assert ground.s3 is not None
    ground.s3.refuse(*(ground.random.choice([500, 503]) for _ in range(ground.random.randint(1, 40))))
    return True


def _stop_refusing(ground: Ground) -> None:
    assert ground.s3 is not None
    ground.s3.accept()


def _cuts_s3(ground: Ground) -> bool:
    assert ground.s3 is not None
    for _ in range(ground.random.randint(1, 8)):
        ground.s3.cut(ground.random.choice([0, 1, 50, 500, 5000]))
    return True


def plans_again(ground: Ground) -> bool:
    """A photo changes, the run is planned; it changes back, and the run is planned: with the photos that it had."""
    data, times = ground.photo.read_bytes(), ground.photo.stat()
    try:
        ground.photo.write_bytes(data[::-1])
        ground.place.stage("plan")
    finally:
        ground.photo.write_bytes(data)
        os.utime(ground.photo, ns=(times.st_atime_ns, times.st_mtime_ns))
    ground.place.stage("plan")
    return True


def _away(ground: Ground) -> Path:
    return ground.photo.with_suffix(".away")


def _goes_away(ground: Ground) -> bool:
    ground.photo.rename(_away(ground))
    return True


def _comes_back(ground: Ground) -> None:
    _away(ground).rename(ground.photo)


def _damages(pattern: str, how: Callable[[Random, Path], None]) -> Callable[[Ground], bool]:
    def strike(ground: Ground) -> bool:
        found = Path(ground.place.storage).glob(f"runs/*/{pattern}")
        files = sorted(file for file in found if file.name[0] != ".")  # a file that is begun has no name yet
        if not files:
            return False
        how(ground.random, ground.random.choice(files))
        return True

    return strike


def _truncate(random: Random, path: Path) -> None:
    os.truncate(path, random.randrange(path.stat().st_size))


def _flip(random: Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def _remove(_: Random, path: Path) -> None:
    path.unlink()


def _spoil(random: Random, path: Path) -> None:
    random.choice([_truncate, _flip, _remove])(random, path)


AWAY = r"RedisUnavailable: .* did not answer"
"""also what a stage says that does not wait for long, on a machine that is short of time"""
_CHUNK = r"DamagedRecord: .*ledger/"
_LEDGER, _LIST = "ledger/*/*/*.parquet", "manifest/*/*.parquet"
_SUM = r"DamagedRecord: .*chips/"
_LOST = r"IncompleteRun|is not planned, or its plan has expired|is not planned any more"
_READS = ("embed", "reduce")
_S3 = r"StorageUnavailable: "
_OVERTAKEN = rf"Conflict: .*(planned again|have two plans)|DamagedRecord: .*(plan the run again|embed)|{_LOST}"

KINDS = (
    Kind("killed at a random step", "", script=_killed),
    Kind("power cut at a random step", "", script=_cut_off),
    Kind("clock jumps", "", script=_jumps),
    Kind("storage is slow", "", script=lambda random, _: {"slow": random.uniform(0.0005, 0.005)}),
    Kind("another attempt at once", "", rival="at once"),
    Kind("an attempt ends very late", "", stages=("embed",), rival="late"),
    Kind("a reduce ends very late", "", stages=("reduce",), rival="late"),
    Kind("... behind a newer plan", _OVERTAKEN, stages=("reduce",), rival="late", needs="folder", overtaken=True),
    Kind("planned again in between", _OVERTAKEN, plans_again, stages=_READS, needs="folder", passes=True),
    Kind("photo away for a while", "", _goes_away, _comes_back, stages=("embed",), needs="folder", flaps=True),
    Kind("Valkey killed, restarted", AWAY, _restarts, passes=True),
    Kind("Valkey killed, away", AWAY, _stays_away, lambda g: g.place.valkey.start()),
    Kind("Valkey loses its last writes", f"{AWAY}|{_LOST}", _forgets, passes=True),
    Kind("Valkey paused", AWAY, _stops, lambda g: g.place.valkey.resume()),
    Kind("Valkey paused for a moment", AWAY, _hiccups, passes=True),
    Kind("Valkey slow", AWAY, _slows, lambda g: g.redis.accept(), passes=True),
    Kind("reply cut off", AWAY, _cuts, lambda g: g.redis.accept(), passes=True),
    Kind(
        "Valkey's memory full", "RedisUnavailable: .*memory of Redis", _fills_memory, lambda g: g.place.valkey.empty()
    ),
    Kind("wrong password", "SettingsError: .*check user and password", _locks, lambda g: g.place.valkey.unlock()),
    Kind("storage full", "StorageUnavailable: .*No space left", _fills_storage, lambda g: g.disk.free(), needs="mount"),
    Kind(
        "storage read-only",
        "StorageUnavailable: .*Read-only file system",
        lambda g: g.disk.protect(),
        lambda g: g.disk.release(),
        needs="mount",
    ),
    Kind("S3 answers 500 and 503", _S3, _refuses, _stop_refusing, needs="s3"),
    Kind("S3's reply cut off", _S3, _cuts_s3, _stop_refusing, needs="s3", passes=True),
    Kind("ledger chunk truncated", _CHUNK, _damages(_LEDGER, _truncate), stages=_READS, needs="folder", passes=True),
    Kind("a bit of the ledger flipped", _CHUNK, _damages(_LEDGER, _flip), stages=_READS, needs="folder", passes=True),
    Kind("ledger chunk missing", _CHUNK, _damages(_LEDGER, _remove), stages=_READS, needs="folder", passes=True),
    Kind("chip sum damaged", _SUM, _damages("chips/*/*", _spoil), stages=_READS, needs="folder", passes=True),
    Kind("photo list damaged", r"DamagedRecord: .*manifest/", _damages(_LIST, _spoil), needs="folder", passes=True),
)
