"""Sentences about files passed over, photos turned and faces left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meanface.dataset.refs import PassedOver
from meanface.settings import Settings


def sentences(passed_over: Iterable[PassedOver], counts: Mapping[str, int], settings: Settings) -> list[str]:
    """Describe files passed over, photos turned and faces left out; zeros are not mentioned.

    `counts` has all names of `meanface.ledger.commit.COUNTS`.

    >>> counts = dict(left_out_policy=2, left_out_min_face=1, left_out_min_score=0, turned=4, turned_without_face=1)
    >>> raw = PassedOver(kind="raw photos", files=1, examples=("a.nef",), advice="export them as JPEG")
    >>> for sentence in sentences([raw], counts, Settings(dataset="sample", min_face=60)):
    ...     print(sentence)
    passed over: raw photos: 1 ('a.nef'), export them as JPEG
    turned upright by their EXIF orientation: 4 photos, 1 of them without a face
    faces left out: 2 by faces=first, 1 by min_face=60
    """
    account = [f"passed over: {kind}" for kind in passed_over]
    if counts["turned"]:
        action = "turned upright by" if settings.exif_orientation else "not turned upright, despite"
        photos = f"{counts['turned']:,} photo" + ("" if counts["turned"] == 1 else "s")
        without = f", {counts['turned_without_face']:,} of them without a face" if counts["turned_without_face"] else ""
        account.append(f"{action} their EXIF orientation: {photos}{without}")
    values = {"faces": settings.faces, "min_face": settings.min_face, "min_score": settings.min_score}
    left_out = {name: counts[f"left_out_{'policy' if name == 'faces' else name}"] for name in values}
    if any(left_out.values()):
        reasons = (f"{faces:,} by {name}={values[name]}" for name, faces in left_out.items() if faces)
        account.append(f"faces left out: {', '.join(reasons)}")
    return account
