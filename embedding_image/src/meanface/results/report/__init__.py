"""`report.html`: a result as one static, self-contained page."""

from meanface.results.report.page import Material, html, template

__all__ = ["Material", "html", "template"]
