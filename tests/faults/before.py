"""A small run as it was before each of its stages, to start from again and again."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

from faults.outcome import WrongAnswer, check_committed
from faults.place import Place
from faults.processes import Ended


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
        self.folders_synced: dict[str, list[int]] = {}
        """stage -> the steps that sync a folder"""
        for stage in place.stages:
            self._storage.mkdir(exist_ok=True)
            shutil.copytree(self._storage, copies / stage)
            self._keys[stage] = {key: self._store.dump(key) for key in self._store.scan_iter()}
            trace = copies / f"{stage}.trace"
            ended = place.stage(stage, trace=str(trace))
            assert not ended.code, ended.log
            self.steps[stage] = ended.steps
            what = enumerate(trace.read_text().splitlines(), 1)
            self.folders_synced[stage] = [step for step, words in what if re.match(r"fsync [^.]", words)]
        self.quiet = place.bits()

    def restore(self, stage: str) -> None:
        """Make it as it was before a stage."""
        shutil.rmtree(self._storage)
        shutil.copytree(self._copies / stage, self._storage)
        self._store.flushall()
        for key, value in self._keys[stage].items():
            self._store.restore(key, 0, value)

    def survives(self, stage: str, step: int, *, power_cut: bool, **script: object) -> bool:
        """Let a stage die at a step, and see that plain stages end with the quiet bits; False if it has no such step.

        Raises
        ------
        WrongAnswer
            they do not, or what is committed has no ledger
        """
        self.restore(stage)
        ended = self.place.stage(stage, die_at=step, power_cut=power_cut, **script)
        assert ended.code in (0, -signal.SIGKILL), ended.log
        self._check(f"{stage} had died before step {step}", script)
        return _died(ended, step)

    def survives_both(self, stage: str, step: int, **script: object) -> bool:
        """Let a stage die at a step, and the machine when the next attempt has ended; otherwise as `survives`."""
        self.restore(stage)
        unsynced = self._copies / "unsynced"
        unsynced.unlink(missing_ok=True)
        first = self.place.stage(stage, die_at=step, unsynced=str(unsynced), **script)
        next_ = self.place.stage(stage, power_cut=True, unsynced=str(unsynced), **script)
        assert next_.code == 0, next_.log
        self._check(f"{stage} had died before step {step}, and its machine after the next attempt", script)
        return _died(first, step)

    def _check(self, what: str, script: dict[str, object]) -> None:
        try:
            if (self._storage / "runs/run/manifest.json").exists():
                check_committed(self.place.files, self.place.valkey.committed(self.place.run))
            self.place.plain(**script).check(self.quiet)
        except WrongAnswer as wrong:
            wrong.add_note(what)
            raise


def _died(ended: Ended, step: int) -> bool:
    """Whether a stage died at a step; one that did not must have fewer steps.

    Their number varies by some, as messages to and from workers do.
    """
    assert ended.code or ended.steps < step, f"the stage went past step {step}, to {ended.steps}"
    return bool(ended.code)
