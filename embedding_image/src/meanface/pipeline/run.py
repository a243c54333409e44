"""A run as its stages use it: name, state, files, and the embedder's options."""

from __future__ import annotations

import json
from dataclasses import dataclass

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.recipe import identity_of, recipe
from meanface.errors import Conflict, UsageError
from meanface.ledger.manifest import Manifest
from meanface.photo_settings import is_card
from meanface.state import State
from meanface.storage.files import Storage
from meanface.storage.layout import MANIFEST, PlanFiles


@dataclass(frozen=True)
class Run:
    """The data that all stages of a run share."""

    name: str
    state: State
    files: Storage
    cache: str | None = None
    """folder of the detector's derived weights; by default the user's cache folder"""
    shared: Storage | None = None
    """the storage with `runs/NAME` of each run; None for a run without shared storage"""
    kernels: KernelChoice = KernelChoice.AUTO
    """affects speed, not results"""
    network_policy: NetworkPolicy = PUBLIC
    """the network addresses that photos may be read from"""

    def manifest(self) -> Manifest:
        """Read the plan from the state.

        Raises
        ------
        UsageError
            if the run is not planned
        Conflict
            if this program has another recipe than the plan: other versions, or another network
        """
        manifest = Manifest.from_json(self._planned())
        own = recipe(manifest.settings, self.network_policy)
        if own != manifest.recipe:
            versions = json.dumps(identity_of(manifest.settings, self.network_policy))
            raise Conflict(
                f"run {self.name} was planned with recipe {manifest.recipe[:12]}, and this program's is "
                f"{own[:12]} ({versions}): use the same image for every stage of a run, "
                f"on machines with the same {'instructions' if is_card(manifest.settings.embedder) else 'network_code'}"
            )
        return manifest

    def _planned(self) -> str:
        stored = self.state.manifest()
        if stored is None:
            raise UsageError(f"run {self.name} is not planned, or its plan has expired: plan it first")
        return stored

    def verified_manifest(self) -> str:
        """Read the plan's JSON from the state and check that the files have the same plan.

        A Redis that has lost its last writes may have an earlier plan, with all its commits.

        Raises
        ------
        UsageError
            if the run is not planned
        Conflict
            if state and files have two plans
        """
        stored = self._planned()
        try:
            filed = self.files.read(MANIFEST)
        except FileNotFoundError:
            filed = b""
        if stored.encode() != filed:
            raise Conflict(
                f"run {self.name}: the state and {self.files.url}/{MANIFEST} have two plans; Redis may have lost the"
                " later one: plan the run again"
            )
        return stored

    def plan_files(self, manifest: Manifest) -> PlanFiles:
        """Photo lists, ledger and chip sums of a plan, apart from those of other plans of the run."""
        return PlanFiles(self.files, manifest.plan)
