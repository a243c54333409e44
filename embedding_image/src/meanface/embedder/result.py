"""The result of one photo: its outcome and faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

from meanface.embedder.faces import Faces
from meanface.outcome import Outcome

NO_FACES = Faces(found=0, chosen=())


@dataclass(frozen=True)
class PhotoResult:
    """The result of one photo."""

    outcome: Outcome
    detail: str = ""
    sha256: bytes | None = None
    """of its bytes; None if they could not be read"""
    faces: Faces = NO_FACES
    orientation: int | None = None
    """EXIF orientation of a decoded photo, 1 to 8; 1 if the photo has none, or an invalid one"""

    def without_chips(self) -> PhotoResult:
        """The same result without the chips of its faces."""
        return replace(self, faces=self.faces.without_chips())
