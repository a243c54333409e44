"""`report.html`: a result as one static, self-contained page."""

from meanface.results.report.drawing import load_matplotlib
from meanface.results.report.page import Material, html

__all__ = ["Material", "html", "load_matplotlib"]
