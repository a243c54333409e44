"""`report.html`: a result as one static, self-contained page."""

from __future__ import annotations

from meanface.results.report.material import Material

__all__ = ["Material", "html"]


def html(material: Material) -> str:
    """Render the page; equal material gives equal bytes."""
    from meanface.results.report.page import render  # imports Matplotlib and Jinja, which only reduce needs

    return render(material)
