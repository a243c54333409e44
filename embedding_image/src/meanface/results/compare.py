"""How two results differ: what went in, what became of it, and whether the means differ beyond noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from meanface.errors import DamagedRecord
from meanface.outcome import Outcome
from meanface.results.reader import SavedResult, SavedSummary
from meanface.stats.duplicates import PhotoHashes
from meanface.stats.two_sample import LEVEL, Difference, Side, difference
from meanface.storage.files import without_credentials
from meanface.text import escaped_json

_HARMLESS = {"dataset", "checksum", "partition_size", "max_failed_fraction", "face_pixels"}
"""settings that have no say in what becomes of a photo"""


@dataclass(frozen=True)
class Comparison:
    """Two results beside each other."""

    a: SavedSummary
    b: SavedSummary
    difference: Difference
    shared_photos: int | None
    """photos of A whose bytes are in B, too, of those compared; None where a ledger cannot be read"""
    photos_step: int
    """one in so many photos was compared"""

    @property
    def same_fingerprint(self) -> bool:
        """Whether both were made of the same photos by the same recipe."""
        return self.a.fingerprint is not None and self.a.fingerprint == self.b.fingerprint

    @property
    def same_bits(self) -> bool:
        """Whether both means are equal to the last bit."""
        return [each.hex() for each in self.a.mean] == [each.hex() for each in self.b.mean]

    def differing(self) -> dict[str, tuple[Any, Any]]:
        """Settings and versions that are not equal: name -> in A, in B."""
        pairs: dict[str, tuple[Any, Any]] = {}
        for here, there in ((self.a.settings, self.b.settings), (self.a.versions, self.b.versions)):
            for name in sorted({*here, *there}):
                if here.get(name) != there.get(name):
                    pairs[name] = (here.get(name), there.get(name))
        if "dataset" in pairs:
            one, other = pairs["dataset"]
            pairs["dataset"] = (without_credentials(str(one)), without_credentials(str(other)))
        return pairs

    @property
    def beyond_noise(self) -> bool | None:
        """Whether the means differ by more than noise; None where that cannot be said.

        Of two collections that share photos, the noise in what they share cancels: what is found beyond the noise of
        independent collections is beyond theirs, too, and what is not may be. By label it is accounted for where a
        photo's label is the same in both, which is not looked at.
        """
        found = self.difference.beyond_noise
        return None if self.shared_photos and not found else found

    def verdict(self) -> str:
        """What there is to say about the means, in a sentence or two."""
        if self.same_fingerprint:
            if self.same_bits:
                return "The same photos and recipe, and the same mean to the last bit."
            return "The same photos and recipe, " + self._why_other_bits()
        if self.same_bits:
            return "The means are equal to the last bit."
        return self._beyond_noise_or_not()

    def _beyond_noise_or_not(self) -> str:
        found = self.difference
        if found.p is None:
            return f"Whether the means differ beyond noise cannot be said: {found.why_no_p}."
        p = f"p = {found.p:.2g}" if found.p > 1e-5 else "p < 0.00001"
        if self.beyond_noise:
            return (
                f"The means differ beyond noise ({p}): samples of one population would hardly ever be this far apart."
            )
        if self.beyond_noise is None:
            return (
                f"Whether the difference is within noise cannot be said: {p} is not below {LEVEL:g}, but photos are in "
                "both, and their noise cancels."
            )
        return f"The difference is within noise ({p}, called beyond it below {LEVEL:g})."

    def _why_other_bits(self) -> str:
        both = (self.a, self.b)
        if any(summary.outcomes.get(outcome) for summary in both for outcome in Outcome if outcome.passing):
            return "but not the same bits: photos were unreadable or crashed, and need not have been so in both."
        if any(summary.settings.get("mixed_instruction_sets") for summary in both):
            return (
                "but not the same bits, as mixed_instruction_sets allows: embeddings of CPUs of different generations "
                "differ by about 1e-7."
            )
        return (
            "but NOT the same bits, which must not be: the files differ although names and sizes agree, or the "
            "machines compute differently (another processor's instructions)."
        )

    def warnings(self) -> list[str]:
        """What to keep in mind with the verdict."""
        warnings = []
        if self.a.recipe != self.b.recipe and set(self.differing()) - _HARMLESS != {"labels"}:
            warnings.append("The recipes differ (settings, models or versions): so may the embeddings of one photo.")
        if self.same_fingerprint or self.difference.p is None:
            return warnings
        warnings += self._what_is_independent()
        if self.shared_photos:
            of = "" if self.photos_step == 1 else f" of those compared, one in {self.photos_step:,}"
            but = ", except for those with one label in both" if self.difference.shared_labels else ""
            warnings.append(
                f"{self.shared_photos:,} photos of A{of} are in B, too: the two are not independent, and p is "
                f"too large{but}."
            )
        elif self.shared_photos is None:
            warnings.append("Whether they share photos is unknown; if they do, they are not independent.")
        return warnings

    def _what_is_independent(self) -> Iterator[str]:
        """What the test takes as independent, on either side."""
        sides = dict(zip("AB", self.difference.labels, strict=True))
        if by_label := [f"{name} ({labels:,})" for name, labels in sides.items() if labels is not None]:
            yield f"The test takes labels as independent in {' and '.join(by_label)}, and not the faces of one label."
        if shared := self.difference.shared_labels:
            yield f"{shared:,} labels are in both: their noise, which cancels in part, is accounted for."
        if by_face := [name for name, labels in sides.items() if labels is None]:
            yield (
                f"The test takes faces as independent in {' and '.join(by_face)}: several photos of one person make p "
                "too small; with labels=parent_folder or top_folder, labels are taken instead."
            )

    def to_json(self) -> str:
        """For programs; `a` and `b` without their means and statistics."""
        return escaped_json(
            {
                "schema": 1,
                "a": _told(self.a),
                "b": _told(self.b),
                "differing": {name: list(pair) for name, pair in self.differing().items()},
                "same_fingerprint": self.same_fingerprint,
                "same_bits": self.same_bits,
                "difference": {**asdict(self.difference), "beyond_noise": self.beyond_noise},
                "shared_photos": self.shared_photos,
                "photos_step": self.photos_step,
                "verdict": self.verdict(),
                "warnings": self.warnings(),
            }
        )


def compare(a: SavedResult, b: SavedResult) -> Comparison:
    """Two results beside each other; photos that they share are found by the hashes in their ledgers."""
    here, there = _hashes(a), _hashes(b)
    shared, step = (None, 1) if here is None or there is None else (here.shared_with(there), max(here.step, there.step))
    found = difference(Side(a.moments, a.label_means()), Side(b.moments, b.label_means()))
    return Comparison(a.summary, b.summary, found, shared, step)


def _hashes(result: SavedResult) -> PhotoHashes | None:
    hashes = PhotoHashes()
    try:
        for chunk in result.chunks():
            hashes.add(*chunk.hashes())
    except DamagedRecord:
        return None
    return hashes


def _told(result: SavedSummary) -> dict[str, Any]:
    summary = result.model_dump(mode="json", by_alias=True, exclude={"mean", "statistics", "artifacts"})
    if "dataset" in summary["settings"]:
        summary["settings"]["dataset"] = without_credentials(summary["settings"]["dataset"])
    return summary
