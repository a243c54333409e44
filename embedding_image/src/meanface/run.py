"""A run as its stages see it: its name, what is true about it (store), its files (storage)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from meanface.detector import DetectorChoice
from meanface.errors import Conflict, SettingsError, UsageError
from meanface.faces import identity
from meanface.manifest import Manifest, Source
from meanface.reach import PUBLIC, Reach
from meanface.settings import Settings
from meanface.storage import Storage
from meanface.store import Store

NAME = r"[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}"
"""names of runs and series: parts of keys and paths"""

SCHEMA = 2
"""Part of every recipe. Any change of what a photo's bytes come to (`photo`, `repair`, `orientation`, `faces`,
`landmarks`, `detector`) needs another number than the last release has, or results of that release are taken over."""


@dataclass(frozen=True)
class Run:
    """What every stage of one run needs."""

    name: str
    store: Store
    files: Storage
    cache: str | None = None
    """folder of the converted network; the user's cache folder if not given"""
    shared: Storage | None = None
    """what runs share: the storage that holds `runs/NAME` of each; None for a run that stands alone"""
    detector: DetectorChoice = DetectorChoice.AUTO
    """who finds faces; it decides how fast, not which"""
    reach: Reach = PUBLIC
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
        stored = self.store.manifest()
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
            filed = self.files.read("manifest.json")
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
        return self.files.child(manifest.folder) if manifest.folder else self.files


def files_of(shared: Storage, name: str) -> Storage:
    """The files of a run in a storage that runs share."""
    return shared.child(f"runs/{name}")


def checked_name(name: str, what: str = "run") -> str:
    """The name of a run or a series, if it can be one.

    Raises
    ------
    SettingsError
        for characters that keys or paths may not hold
    """
    if not re.fullmatch(NAME, name):
        raise SettingsError(f"{what} name {name!r}: letters, digits and ._:+~@- only, starting with a letter or digit")
    return name


def recipe(settings: Settings) -> str:
    """SHA-256 over all that decides what becomes of a photo: embedder, models, settings, schema.

    Neither the dataset's address nor the partition size decide it, nor how many failures may be tolerated. Nor does
    `face_pixels`: no outcome and no embedding depends on it, so that runs with and without pixels have one fingerprint,
    fit into one series, and can be compared. A run that wants the chip sums of a ledger looks whether they are there
    (`meanface.partitionledger`).
    """
    undecisive = {"dataset", "checksum", "partition_size", "max_failed_fraction", "face_pixels"}
    who = identity(settings.embedder)
    if settings.mixed_instruction_sets:
        del who["instructions"]
    decisive = {
        "schema": SCHEMA,
        "settings": settings.model_dump(mode="json", exclude=undecisive),
        "identity": who,
    }
    return _sha256(decisive)


def fingerprint(recipe: str, manifest_digest: str) -> str:
    """SHA-256 over all that decides a run's mean: recipe and photos."""
    return _sha256({"recipe": recipe, "manifest": manifest_digest})


def scope(recipe: str, source: Source) -> str:
    """SHA-256 over all that decides a partition's ledger beside its photos: recipe, and the place where they are.

    Versions of photos mean something in their place only: two servers may give one ETag to two files.
    """
    return _sha256({"recipe": recipe, "kind": source.kind, "root": source.root, "url": source.url})


def _sha256(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
