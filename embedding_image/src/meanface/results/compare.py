"""Compare two results and test whether their means differ significantly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from meanface.dataset.addresses import public_addresses, shown_addresses
from meanface.dataset.refs import UNKNOWN_SIZE
from meanface.embedder.recipe import OUTSIDE_RECIPE
from meanface.errors import DamagedRecord, UsageError
from meanface.outcome import Outcome
from meanface.results.reader import Result, SavedSummary
from meanface.settings import Settings
from meanface.stats.duplicates import PhotoHashes
from meanface.stats.two_sample import LEVEL, Difference, Side, difference
from meanface.text import escaped_json


@dataclass(frozen=True)
class Comparison:
    """Two results, and the difference of their means."""

    a: SavedSummary
    b: SavedSummary
    difference: Difference
    shared_photos: int | None
    """compared photos of A whose bytes are in B, too; None if a ledger cannot be read"""
    photos_step: int
    """one in so many photos was compared"""
    sizes_known: bool
    """whether a ledger shows that the size of every photo is known; it is not behind addresses in a list"""

    @property
    def same_fingerprint(self) -> bool:
        """Whether photos and recipe are the same."""
        return self.a.fingerprint is not None and self.a.fingerprint == self.b.fingerprint

    @property
    def same_bits(self) -> bool:
        """Whether the means are equal to the last bit."""
        return [each.hex() for each in self.a.mean] == [each.hex() for each in self.b.mean]

    def differing(self) -> dict[str, tuple[Any, Any]]:
        """Return the settings and versions that differ: name -> value in A, value in B."""
        pairs: dict[str, tuple[Any, Any]] = {}
        for in_a, in_b in (
            (_complete(self.a.settings), _complete(self.b.settings)),
            (self.a.versions, self.b.versions),
        ):
            for name in sorted({*in_a, *in_b}):
                if in_a.get(name) != in_b.get(name):
                    pairs[name] = (in_a.get(name), in_b.get(name))
        if "dataset" in pairs:
            in_a, in_b = pairs["dataset"]
            pairs["dataset"] = (shown_addresses(str(in_a)), shown_addresses(str(in_b)))
        return pairs

    @property
    def significant(self) -> bool | None:
        """Whether the means differ significantly; None if unknown.

        The noise of shared photos cancels, so the test is conservative for collections that share
        some: a significant difference is significant, but the rest is unknown. If labels are
        independent units, the noise of shared labels is accounted for, provided that a photo has
        the same label in both, which is not checked.
        """
        significant = self.difference.significant
        return None if self.shared_photos and not significant else significant

    def verdict(self) -> str:
        """Summarise the comparison of the means in a sentence or two."""
        if self.same_fingerprint:
            if self.same_bits:
                return "The same photos and recipe, and the same mean to the last bit."
            return f"The same photos and recipe, {self._why_other_bits()}"
        return "The means are equal to the last bit." if self.same_bits else self._significance()

    def _significance(self) -> str:
        p = self.difference.p
        if p is None:
            return f"Whether the means differ significantly is unknown: {self.difference.why_no_p}."
        value = f"p = {p:.2g}" if p > 1e-5 else "p < 0.00001"
        if self.significant:
            return (
                f"The means differ significantly ({value}): two samples of one population would hardly ever be this "
                "far apart."
            )
        if self.significant is None:
            return (
                f"Whether the means differ significantly is unknown: {value} is not below {LEVEL:g}, but the results "
                "share photos, whose noise cancels."
            )
        return f"The means do not differ significantly ({value}, significant below {LEVEL:g})."

    def _why_other_bits(self) -> str:
        both = (self.a, self.b)
        if any(summary.outcomes.get(outcome) for summary in both for outcome in Outcome if outcome.passing):
            return "but not the same bits: photos were unreadable or crashed, perhaps in one run only."
        if not self.sizes_known:
            return (
                "but not the same bits: photos behind addresses may have changed, as only their names count. If "
                "there are none, the files differ although names and sizes are equal, or a machine computes wrongly."
            )
        return (
            "but NOT the same bits, which is an error: the files differ although names and sizes are equal, or a "
            "machine computes wrongly."
        )

    def warnings(self) -> list[str]:
        """Return what limits the verdict."""
        warnings = []
        if self.a.recipe != self.b.recipe and set(self.differing()) - OUTSIDE_RECIPE != {"labels"}:
            warnings.append("The recipes differ (settings, models or versions): so may the embeddings of one photo.")
        if self.same_fingerprint or self.difference.p is None:
            return warnings
        warnings += self._assumptions()
        if self.shared_photos:
            compared = "" if self.photos_step == 1 else f" of those compared, one in {self.photos_step:,}"
            exception = ", except for those with one label in both" if self.difference.shared_labels else ""
            warnings.append(
                f"{self.shared_photos:,} photos of A{compared} are in B, too: the results are not independent, and p "
                f"is too large{exception}."
            )
        elif self.shared_photos is None:
            warnings.append("Whether the results share photos is unknown; if so, they are not independent.")
        return warnings

    def _assumptions(self) -> Iterator[str]:
        """Name what the test takes as independent."""
        sides = dict(zip("AB", self.difference.labels, strict=True))
        if by_label := [f"{name} ({labels:,})" for name, labels in sides.items() if labels is not None]:
            yield f"The test takes labels as independent in {' and '.join(by_label)}, and not the faces of one label."
        if shared := self.difference.shared_labels:
            yield f"{shared:,} labels are in both: their noise, which cancels in part, is accounted for."
        if by_face := [name for name, labels in sides.items() if labels is None]:
            yield (
                f"The test takes faces as independent in {' and '.join(by_face)}: several photos of one person make p "
                "too small; with labels=parent_folder or top_folder, labels are the independent units."
            )

    def to_json(self) -> str:
        """Return JSON; `a` and `b` are without their means and statistics."""
        return escaped_json(
            {
                "schema": 1,
                "a": _fields(self.a),
                "b": _fields(self.b),
                "differing": {name: list(pair) for name, pair in self.differing().items()},
                "same_fingerprint": self.same_fingerprint,
                "same_bits": self.same_bits,
                "difference": {**asdict(self.difference), "significant": self.significant},
                "shared_photos": self.shared_photos,
                "photos_step": self.photos_step,
                "verdict": self.verdict(),
                "warnings": self.warnings(),
            }
        )


def compare(a: Result, b: Result) -> Comparison:
    """Compare two results; shared photos are found by the hashes in their ledgers.

    Raises `UsageError` for embeddings of two dimensions, and `DamagedRecord` if means by label are missing or damaged.
    """
    if a.moments.dimensions != b.moments.dimensions:
        raise UsageError(
            f"{a.files.url} has embeddings of {a.moments.dimensions:,} dimensions and {b.files.url} of "
            f"{b.moments.dimensions:,}: their embedders differ, so their means have no distance; compare results of "
            "one embedder"
        )
    (of_a, known_in_a), (of_b, known_in_b) = _hashes(a), _hashes(b)
    shared, step = (None, 1) if of_a is None or of_b is None else (of_a.shared_with(of_b), max(of_a.step, of_b.step))
    found = difference(Side(a.moments, a.label_means()), Side(b.moments, b.label_means()))
    return Comparison(a.summary, b.summary, found, shared, step, known_in_a or known_in_b)


def _hashes(result: Result) -> tuple[PhotoHashes | None, bool]:
    """The hashes of the ledger's photos, if it can be read, and whether it has the size of every photo."""
    hashes, sizes_known = PhotoHashes(), True
    try:
        for chunk in result.chunks():
            hashes.add(*chunk.hashes())
            sizes_known = sizes_known and UNKNOWN_SIZE not in chunk.table["bytes"].to_numpy()
    except DamagedRecord:
        return None, False
    return hashes, sizes_known


def _complete(settings: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults of settings that the result's release did not have yet; a series has no settings."""
    defaults = Settings(dataset="sample").model_dump(mode="json")
    return {**defaults, **settings} if settings else settings


def _fields(result: SavedSummary) -> dict[str, Any]:
    summary = result.model_dump(mode="json", by_alias=True, exclude={"mean", "statistics", "artifacts"})
    if "dataset" in summary["settings"]:
        summary["settings"]["dataset"] = public_addresses(summary["settings"]["dataset"])
    return summary
