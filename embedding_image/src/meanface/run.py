"""A run as its stages see it: its name, what is true about it (store), its files (storage)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from meanface.errors import Conflict, SettingsError, UsageError
from meanface.faces import identity
from meanface.manifest import SCHEMA, Manifest
from meanface.settings import Settings
from meanface.storage import Storage
from meanface.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}")


@dataclass(frozen=True)
class Run:
    """What every stage of one run needs."""

    name: str
    store: Store
    files: Storage
    cache: str | None = None
    """folder of the converted network; the user's cache folder if not given"""

    def manifest(self) -> Manifest:
        """The plan.

        Raises
        ------
        UsageError
            if there is none
        Conflict
            if this program would compute other embeddings than the plan's: other versions, another network
        """
        stored = self.store.manifest()
        if stored is None:
            raise UsageError(f"run {self.name} has no manifest in the store: plan it first (or it has expired)")
        manifest = Manifest.from_json(stored)
        own = fingerprint(manifest.settings, manifest.digest)
        if own != manifest.fingerprint:
            versions = json.dumps(identity(manifest.settings.embedder))
            raise Conflict(
                f"run {self.name} was planned with fingerprint {manifest.fingerprint[:12]}, and this program's is "
                f"{own[:12]} ({versions}): use the same image for every stage of a run"
            )
        return manifest


def checked_name(name: str) -> str:
    """The run's name, if it can be one.

    Raises
    ------
    SettingsError
        for characters that keys or paths may not hold
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"run name {name!r}: letters, digits and ._:+~@- only, starting with a letter or digit")
    return name


def fingerprint(settings: Settings, manifest_digest: str) -> str:
    """SHA-256 over all that decides a partition's ledger: photos, embedder, models, settings, schema.

    Neither the dataset's address nor the partition size decide it, nor how many failures may be tolerated.
    """
    undecisive = {"dataset", "checksum", "partition_size", "max_failed_fraction"}
    decisive = {
        "schema": SCHEMA,
        "manifest": manifest_digest,
        "settings": settings.model_dump(mode="json", exclude=undecisive),
        "identity": identity(settings.embedder),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
