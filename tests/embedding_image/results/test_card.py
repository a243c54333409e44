"""The HTML of a result: escaped, self-contained, and without a picture where pixels were not kept."""

from __future__ import annotations

from html.parser import HTMLParser

from meanface.results.card import card

HOSTILE = '</td><script>alert(1)</script>"\x1b[2J\u202e'


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class' name
        self.found.append(tag)


def test_names_cannot_add_elements_or_control_characters() -> None:
    html = card({HOSTILE: HOSTILE}, None)
    assert set(Tags(html).found) == {"div", "table", "tr", "th", "td"}
    assert html.isprintable()


def test_figures_and_picture() -> None:
    html = card({"faces": "1,300 in 1,200 of 1,234 photos"}, b"png")
    assert "1,300 in 1,200 of 1,234 photos" in html
    assert Tags(html).found.count("img") == 1
    assert "http" not in html
