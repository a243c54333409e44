"""A small run as it was before each of its stages, to start from again and again."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from faults.outcome import WrongAnswer, check_committed
from faults.place import Place


class Before:
    """One place, and its files and keys before each stage.

    Parameters
    ----------
    place
        with an empty storage, a folder
    copies
        folder for what was before
    """

    def __init__(self, place: Place, copies: Path) -> None:
        self.place, self._copies = place, copies
        self._storage, self._store = Path(place.storage), place.valkey.admin
        self._keys: dict[str, dict[bytes, bytes]] = {}
        self.steps: dict[str, int] = {}
        """stage -> its I/O steps"""
        for stage in place.stages:
            self._storage.mkdir(exist_ok=True)
            shutil.copytree(self._storage, copies / stage)
            self._keys[stage] = {key: self._store.dump(key) for key in self._store.scan_iter()}
            ended = place.stage(stage)
            assert not ended.code, ended.log
            self.steps[stage] = ended.steps
        self.quiet = place.bits()

    def restore(self, stage: str) -> None:
        """Make it as it was before a stage."""
        shutil.rmtree(self._storage)
        shutil.copytree(self._copies / stage, self._storage)
        self._store.flushall()
        for key, value in self._keys[stage].items():
            self._store.restore(key, 0, value)

    def survives(self, stage: str, step: int, *, power_cut: bool, **script: object) -> bool:
        """Let a stage die at a step, and see that plain stages end with the quiet bits; False if it ended before.

        Raises
        ------
        WrongAnswer
            they do not, or what is committed has no ledger
        """
        self.restore(stage)
        ended = self.place.stage(stage, die_at=step, power_cut=power_cut, **script)  # type: ignore[arg-type]
        assert ended.code in (0, -signal.SIGKILL), ended.log
        try:
            if (self._storage / "runs/run/manifest.json").exists():
                check_committed(self.place.files, self.place.valkey.committed(self.place.run))
            self.place.plain(**script).check(self.quiet)
        except WrongAnswer as wrong:
            wrong.add_note(f"{stage} had died before step {step}")
            raise
        return bool(ended.code)
