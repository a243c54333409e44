"""Whether a photo has too many pixels: to decode it, or to search it for faces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meanface.photo_settings import PhotoSettings
    from meanface.settings import Settings

Size = tuple[int, int]
"""columns, rows"""


def too_large(size: Size, settings: PhotoSettings | Settings) -> str | None:
    """Explain why a photo of this size is too large; None if it is not.

    `max_pixels` is a limit on photos that are doubled once, as is usual: one that is doubled once
    more is searched as four such photos.
    """
    limit, found = settings.max_pixels, f"{size[0]:,} x {size[1]:,} pixels"
    if math.prod(size) > limit:
        return f"{found}, more than max_pixels={limit:,}"
    searched, times = scaled(size, settings.max_side), 4 ** max(settings.upsample - 1, 0)
    if times * math.prod(searched) <= limit:
        return None
    if searched != size:
        found += f", {searched[0]:,} x {searched[1]:,} with max_side={settings.max_side:,}"
    return f"{found}, which count {times} times with upsample={settings.upsample}: more than max_pixels={limit:,}"


def scaled(size: Size, max_side: int | None) -> Size:
    """Columns and rows after `max_side`, to the nearest pixel.

    >>> scaled((4000, 3000), 1000), scaled((400, 300), 1000), scaled((400, 300), None)
    ((1000, 750), (400, 300), (400, 300))
    """
    if max_side is None or max(size) <= max_side:
        return size
    columns, rows = (max(1, round(side * max_side / max(size))) for side in size)
    return columns, rows
