"""What became of one photo: its outcome, and the faces of it that count."""

from __future__ import annotations

from dataclasses import dataclass, replace

from meanface.embedder.faces import Faces
from meanface.outcome import Outcome

NOTHING = Faces(found=0, chosen=())


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo."""

    outcome: Outcome
    detail: str = ""
    sha256: bytes | None = None
    """of its bytes, where they could be had"""
    faces: Faces = NOTHING
    orientation: int | None = None
    """EXIF orientation of a photo that was decoded, 1 to 8; 1 where the photo names none, or none that there is"""

    def without_chips(self) -> PhotoResult:
        """The same result, without a pixel of its faces."""
        return replace(self, faces=self.faces.without_chips())
