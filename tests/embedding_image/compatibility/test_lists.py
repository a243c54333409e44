"""docs/compatibility.md, Lists of URLs: the list, and what servers answer."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compatibility import Answer, Place, Recipes, serving

recipe = Recipes("Lists of URLs")


class WebPlace(Place):
    """A place beside a server."""

    url: str
    answers: dict[str, Answer]

    def listed(self, *rows: str, header: str = "url") -> str:
        """A CSV list, with the server's address in the place of `@`."""
        text = "\n".join((header, *rows)).replace("@", self.url)
        return self.write("list.csv", text.encode()).name


@pytest.fixture
def web(place: Place) -> Iterator[WebPlace]:
    web = WebPlace(place.path, place.portrait, place._workers, place._likeness)
    web.answers = {f"/{name}.jpg": Answer(place.jpeg) for name in "abc"}
    with serving(web.answers) as web.url:
        yield web


def test_lists(what: str, web: WebPlace) -> None:
    recipe.check(what, web)


def count(place: Place, photos: int, dataset: str = "list.csv") -> str:
    found = place.run(dataset)
    assert len(found.photos) == photos
    return found.happened()


@recipe("CSV with a byte order mark, CRLF, quoted line breaks, empty lines")
def excel(web: WebPlace) -> str:
    text = f'url,caption\r\n{web.url}/a.jpg,"two\r\nlines"\r\n\r\n"{web.url}/b.jpg",\r\n'
    web.write("list.csv", b"\xef\xbb\xbf" + text.encode())
    return count(web, 2)


@recipe("CSV in Latin-1, where the addresses are ASCII")
def latin_1(web: WebPlace) -> str:
    web.write("list.csv", f"url,person\n{web.url}/a.jpg,José\n".encode("latin-1"))
    return count(web, 1)


@recipe("CSV with a text of up to 1 MiB beside the address")
def long_text(web: WebPlace) -> str:
    web.listed(f"@/a.jpg,{'x' * 900_000}", header="url,caption")
    return count(web, 1)


@recipe("CSV, compressed by gzip")
def compressed(web: WebPlace) -> str:
    web.listed("@/a.jpg")
    web.write("list.csv", gzip.compress((web.path / "list.csv").read_bytes()))
    return count(web, 1)


@recipe("Parquet; a row without an address is `unreadable`")
def parquet(web: WebPlace) -> str:
    pq.write_table(pa.table({"url": [f"{web.url}/a.jpg", None, ""]}), web.path / "list.parquet")
    found = web.run("list.parquet")
    assert found.happened("row 2", "row 3", detail="its url is empty") == "`unreadable`"
    return found.happened(f"{web.url}/a.jpg")


@recipe("a column `name` with one name for several photos")
def names(web: WebPlace) -> str:
    web.listed("Fred,@/a.jpg", "Fred,@/b.jpg", header="name,url")
    return count(web, 2)


@recipe("the same URL in several rows")
def repeated(web: WebPlace) -> str:
    found = web.run(web.listed("@/a.jpg,1", "@/a.jpg,2", "@/a.jpg,3", header="url,bbox"))
    assert found.happened() == "read"
    assert (len(found.rows), found.passed_over) == (1, {"rows that repeat a URL": 2})
    return "passed over: rows that repeat a URL"


@recipe("URLs with spaces, letters beyond ASCII, `+`, `%20` or spaces around")
def letters(web: WebPlace) -> str:
    jpeg = Answer(web.jpeg)
    web.answers |= {"/a%20b.jpg": jpeg, "/pe%C3%B1oles.jpg?q=%C3%A9": jpeg, "/a+b.jpg": jpeg, "/c%20d.jpg": jpeg}
    web.listed("@/a b.jpg", "@/peñoles.jpg?q=é", "@/a+b.jpg", "@/c%20d.jpg", "  @/a.jpg  ")
    return count(web, 5)


@recipe("CSV with semicolons or tabs, or a line `sep=;`")
def separators(web: WebPlace) -> str:
    for text in ("url;name\n@/a.jpg;Ann\n", "url\tname\n@/a.jpg\tAnn\n", "sep=;\nurl;name\n"):
        web.write("list.csv", text.encode())
        refused = web.refusal("list.csv", "Separate its columns with commas")
    return refused


@recipe("CSV in UTF-16 (Excel's Unicode text)")
def utf_16(web: WebPlace) -> str:
    web.write("list.csv", "url,name\nhttp://h/a.jpg,Ann\n".encode("utf-16"))
    return web.refusal("list.csv", "save it as `CSV UTF-8`")


@recipe("CSV without a header, or with `URL` for `url`")
def header(web: WebPlace) -> str:
    web.refusal(web.listed("@/b.jpg", header="@/a.jpg"), "Put a line `url` before its first address")
    return web.refusal(web.listed("@/a.jpg,x", header="URL,TEXT"), "Rename 'URL' to 'url'")


@recipe("a path, `data:`, `ftp:` or an address without `http:`")
def other_addresses(web: WebPlace) -> str:
    rows = ["/etc/passwd", "photos/a.jpg", "ftp://h/a.jpg", "//h/a.jpg", '"data:image/jpeg;base64,AAAA"']
    return web.run(web.listed("@/a.jpg", *rows)).happened(
        *rows[:4], "data:image/jpeg;base64,AAAA", detail="its url is neither http"
    )


@recipe("an answer that is an HTML page or has no bytes")
def pages(web: WebPlace) -> str:
    web.answers |= {"/page.jpg": Answer(b"<html>Log in</html>"), "/empty.jpg": Answer(b"")}
    found = web.run(web.listed("@/a.jpg", "@/page.jpg", "@/empty.jpg"))
    return found.happened(*(f"{web.url}/{name}.jpg" for name in ("page", "empty")), detail="HTML page|an empty file")


@recipe("404, 403 and other answers that are no photo")
def not_there(web: WebPlace) -> str:
    web.answers |= {"/closed.jpg": Answer(web.jpeg, 403), "/none.jpg": Answer(b"", 204)}
    found = web.run(web.listed("@/a.jpg", "@/gone.jpg", "@/closed.jpg", "@/none.jpg"))
    return found.happened(
        *(f"{web.url}/{name}.jpg" for name in ("gone", "closed", "none")), detail="HTTP (404|403|204)"
    )


@recipe("a redirect, also to an address in UTF-8")
def redirect(web: WebPlace) -> str:
    target = "/ブログ/a.jpg".encode().decode("latin-1")
    web.answers["/from.jpg"] = Answer(b"", 302, {"Location": target})
    web.answers["/%E3%83%96%E3%83%AD%E3%82%B0/a.jpg"] = Answer(web.jpeg)
    web.listed("@/from.jpg")
    return count(web, 1)


@recipe("an answer with `Content-Encoding: gzip`")
def content_encoding(web: WebPlace) -> str:
    web.answers["/packed.jpg"] = Answer(gzip.compress(web.jpeg), headers={"Content-Encoding": "gzip"})
    web.listed("@/packed.jpg")
    return count(web, 1)


@recipe("an address whose suffix is another format's, or none")
def suffixes(web: WebPlace) -> str:
    web.answers |= {"/a.webp": Answer(web.jpeg), "/photo?id=1": Answer(web.png)}
    web.listed("@/a.webp", "@/photo?id=1")
    return count(web, 2)


@recipe("a list without rows")
def no_rows(web: WebPlace) -> str:
    return web.refusal(web.listed(), "no photo in it")
