"""`report.html`: a result as one page that loads nothing, runs nothing, and opens from a disk."""

from __future__ import annotations

from meanface.results.report.material import Material
from meanface.results.result import Throughput

__all__ = ["Material", "Throughput", "html"]


def html(material: Material) -> str:
    """The page; equal material gives equal bytes."""
    from meanface.results.report.page import render  # and with it matplotlib and Jinja, which only reduce needs

    return render(material)
