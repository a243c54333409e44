"""A run as its stages see it: its name, what is true about it (store), its files (storage)."""

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
    """What every stage of one run needs."""

    name: str
    state: State
    files: Storage
    cache: str | None = None
    """folder of the converted network; the user's cache folder if not given"""
    shared: Storage | None = None
    """what runs share: the storage that holds `runs/NAME` of each; None for a run that stands alone"""
    detector: DetectorChoice = DetectorChoice.AUTO
    """who finds faces; it decides how fast, not which"""
    network_policy: NetworkPolicy = PUBLIC
    """where photos may be"""

    def manifest(self) -> Manifest:
        """The plan.

        Raises
        ------
        UsageError
            if there is none
        Conflict
            if this program would compute other embeddings than the plan's: other versions, another network
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
            raise UsageError(f"run {self.name} has no manifest in the store: plan it first (or it has expired)")
        return stored

    def settled(self) -> str:
        """The plan's text, which store and files agree on.

        Raises
        ------
        UsageError
            if the store has none
        Conflict
            if they do not: a store that has lost its last writes may have an earlier plan, with all its commits
        """
        stored = self._planned()
        try:
            filed = self.files.read(MANIFEST)
        except FileNotFoundError:
            filed = b""
        if stored.encode() != filed:
            raise Conflict(
                f"run {self.name}: the store and {self.files.url}/manifest.json have two plans, of which the store may"
                " have lost the later one: plan the run again"
            )
        return stored

    def plan_files(self, manifest: Manifest) -> Storage:
        """Where lists and ledger of this plan are: apart from those of any other plan that the run has had."""
        return plan_files(self.files, manifest.folder)
