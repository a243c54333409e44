"""A report as a test reads it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

SECTIONS = [
    "The mean embedding",
    "Variance of the faces",
    "Covariance of the components",
    "Distances to the mean",
    "Nearest to the mean",
    "Farthest from the mean",
    "Suspected duplicates",
    "Labels",
    "Recognition",
    "Labels to check",
    "Robust alternatives",
    "Failures",
    "Throughput",
    "Repeat it",
    "Settings",
    "Versions",
    "Recipe",
]
"""headings, in their order"""
FILES = ("failures.csv", "label_checks.csv")
"""that lie beside the report"""
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements, attributes, visible words, and tables by name; a page whose tags do not close each other is refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self._joined = False
        self.headings: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._joined = tag == "wbr"
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if dict(attrs).get("role") == "region":
            self._rows = self.tables.setdefault(dict(attrs)["aria-label"] or "", [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h2", "h3"):
            self.headings.append(data)
        if {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data
        if "style" not in self._open:
            self.words = (self.words.removesuffix(" ") if self._joined else self.words) + data + " "
        self._joined = False

    def values(self, name: str) -> set[str]:
        return {value for _, attribute, value in self.attributes if attribute == name}

    def has_every_section(self) -> bool:
        """Whether all of them occur, in their order, as of a run with labels."""
        return [heading for heading in self.headings if heading in SECTIONS] == SECTIONS

    def loads_nothing(self) -> bool:
        """Whether it is complete without the network: no script, and no addresses but of its parts and one file."""
        links = self.values("href") | self.values("xlink:href")
        targets = re.findall(r"url\(([^)]*)\)", self.text)
        return (
            "script" not in self.tags
            and "@import" not in self.text
            and all(value.startswith("data:image/") for value in self.values("src"))
            and all(link.startswith(("#", "data:image/png")) or link in FILES for link in links)
            and all(target.startswith("#") for target in targets)
        )
