"""A run as its stages see it: name, state, storage and environment."""

from __future__ import annotations

import json
from dataclasses import dataclass

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.detector import DetectorChoice
from meanface.embedder.recipe import identity, recipe
from meanface.errors import Conflict, UsageError
from meanface.ledger.manifest import Manifest
from meanface.state import State
from meanface.storage.files import Storage
from meanface.storage.layout import MANIFEST, plan_files


@dataclass(frozen=True)
class Run:
    """What all stages of a run share."""

    name: str
    state: State
    files: Storage
    cache: str | None = None
    """folder of the converted network; by default the user's cache folder"""
    shared: Storage | None = None
    """the storage with `runs/NAME` of every run; None for a run by itself"""
    detector: DetectorChoice = DetectorChoice.AUTO
    """affects the speed, not the result"""
    network_policy: NetworkPolicy = PUBLIC
    """which network addresses photos may have"""

    def manifest(self) -> Manifest:
        """Return the plan.

        Raises `UsageError` if there is none, and `Conflict` if this program has another recipe than
        the plan: other versions, or another network.
        """
        manifest = Manifest.from_json(self._planned())
        own = recipe(manifest.settings)
        if own != manifest.recipe:
            versions = json.dumps(identity(manifest.settings.embedder))
            raise Conflict(
                f"run {self.name} was planned with recipe {manifest.recipe[:12]}, and this program's is "
                f"{own[:12]} ({versions}): use the same image for every stage of a run, and CPUs of one "
                "instruction set (or set mixed_instruction_sets)"
            )
        return manifest

    def _planned(self) -> str:
        stored = self.state.manifest()
        if stored is None:
            raise UsageError(f"run {self.name} has no manifest in Redis: plan it first (or it has expired)")
        return stored

    def settled(self) -> str:
        """Return the plan's text, if state and files agree on it.

        Raises
        ------
        UsageError
            if the run is not planned
        Conflict
            if they differ: a Redis that has lost its last writes may have an earlier plan with its
            commits
        """
        stored = self._planned()
        try:
            filed = self.files.read(MANIFEST)
        except FileNotFoundError:
            filed = b""
        if stored.encode() != filed:
            raise Conflict(
                f"run {self.name}: Redis and {self.files.url}/{MANIFEST} have two plans, and Redis may have lost the"
                " later one: plan the run again"
            )
        return stored

    def plan_files(self, manifest: Manifest) -> Storage:
        """Return the files of a plan, which are apart from those of the run's other plans."""
        return plan_files(self.files, manifest.folder)
