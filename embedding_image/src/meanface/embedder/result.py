"""The faces of one photo before the network, and the photo's result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from meanface.embedder.faces import NONE_LEFT_OUT, Box, Embedding, Face, LeftOut
from meanface.outcome import Outcome
from meanface.stats.chip_sum import Chip


@dataclass(frozen=True)
class Detection:
    """The faces of a decoded photo, before the network."""

    found: Sequence[tuple[Box, float]]
    """box and score of each face, in the detector's order"""
    chips: Mapping[int, Chip]
    """of the chosen faces, by index in `found`"""
    left_out: LeftOut
    orientation: int
    """EXIF orientation of the photo, 1 to 8"""


@dataclass(frozen=True)
class PhotoResult:
    """The result of one photo."""

    outcome: Outcome
    detail: str = ""
    sha256: bytes | None = None
    """of its bytes; None if they could not be read"""
    faces: tuple[Face, ...] = ()
    """the chosen ones"""
    faces_found: int = 0
    left_out: LeftOut = NONE_LEFT_OUT
    orientation: int | None = None
    """EXIF orientation of a decoded photo, 1 to 8; 1 if the photo has none, or an invalid one"""

    @classmethod
    def of(cls, detection: Detection, embeddings: Iterator[Embedding]) -> PhotoResult:
        """Make the result of a photo; the next `embeddings` are those of its chosen faces."""
        found, left_out = detection.found, detection.left_out
        faces = tuple(Face(index, *found[index], next(embeddings), chip) for index, chip in detection.chips.items())
        reasons = [f"{count} by {name}" for name, count in left_out._asdict().items() if count]
        remaining = len(found) - sum(left_out)
        if faces:
            outcome, detail = Outcome.OK, ""
        elif remaining:
            outcome = Outcome.SEVERAL_FACES
            detail = ", ".join([f"{remaining} faces, not one", *(f"left out {reason}" for reason in reasons)])
        else:
            outcome = Outcome.NO_FACE
            detail = f"every face was left out: {', '.join(reasons)}" if reasons else ""
        return cls(
            outcome,
            detail,
            faces=faces,
            faces_found=len(found),
            left_out=left_out,
            orientation=detection.orientation,
        )

    def without_chips(self) -> PhotoResult:
        """The same result without the chips of its faces."""
        return replace(self, faces=tuple(replace(face, chip=None) for face in self.faces))
