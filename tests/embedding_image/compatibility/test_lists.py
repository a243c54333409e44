"""docs/compatibility.md, Lists: the list, and what servers answer."""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compatibility import Answer, Place, Recipes, serving

recipe = Recipes("Lists")


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


def count(place: Place, photos: int, dataset: str = "list.csv", output: str = "results") -> str:
    found = place.run(dataset, f"results-{output}")
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


TABLE = {"label": ["ann", "bob"], "url": ["@/a.jpg", "@/b.jpg"]}


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def forms(url: str) -> dict[str, bytes]:
    """Suffix -> a list of two photos."""
    output = io.BytesIO()
    pq.write_table(
        pa.table({name: [cell.replace("@", url) for cell in cells] for name, cells in TABLE.items()}), output
    )
    texts = {
        "csv": "label,url\nann,@/a.jpg\nbob,@/b.jpg\n",
        "tsv": "label\turl\nann\t@/a.jpg\nbob\t@/b.jpg\n",
        "tab": "url\n@/a.jpg\n@/b.jpg\n",
        "jsonl": '{"label": "ann", "url": "@/a.jpg"}\n{"label": "bob", "url": "@/b.jpg"}\n',
        "ndjson": '{"url": "@/a.jpg"}\n{"url": "@/b.jpg"}\n',
        "txt": "@/a.jpg\n@/b.jpg\n",
    }
    found = {suffix: text.replace("@", url).encode() for suffix, text in texts.items()}
    return found | {"parquet": output.getvalue()}


def once(outcomes: Iterable[str]) -> str:
    (found,) = set(outcomes)
    return found


@recipe("CSV, TSV, JSON Lines, a text of addresses, Parquet")
def each_form(web: WebPlace) -> str:
    written = [web.write(f"list.{suffix}", data).name for suffix, data in forms(web.url).items()]
    return once(count(web, 2, name, name) for name in written)


@recipe("a list compressed by gzip or Zstandard, also with `.gz` or `.zst` behind its suffix")
def compressed(web: WebPlace) -> str:
    names = []
    for suffix, data in forms(web.url).items():
        names.append(web.write(f"list.{suffix}.gz", gzip.compress(data)).name)
        names.append(web.write(f"list.{suffix}.zst", zstd(data)).name)
    names.append(web.write("list.csv", gzip.compress(forms(web.url)["csv"])).name)
    return once(count(web, 2, name, name) for name in names)


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
    assert (len(found.rows), found.passed_over) == (1, {"rows that repeat a photo": 2})
    return "passed over: rows that repeat a photo"


@recipe("URLs with spaces, letters beyond ASCII, `+`, `%20` or spaces around")
def letters(web: WebPlace) -> str:
    jpeg = Answer(web.jpeg)
    web.answers |= {"/a%20b.jpg": jpeg, "/pe%C3%B1oles.jpg?q=%C3%A9": jpeg, "/a+b.jpg": jpeg, "/c%20d.jpg": jpeg}
    web.listed("@/a b.jpg", "@/peñoles.jpg?q=é", "@/a+b.jpg", "@/c%20d.jpg", "  @/a.jpg  ")
    return count(web, 5)


@recipe("CSV with semicolons, tabs, `\\|` or another mark between columns, or a line `sep=;`")
def separators(web: WebPlace) -> str:
    texts = [f"name{mark}url\nAnn, of X{mark}{web.url}/a.jpg\n" for mark in ";\t|^~"]
    texts.append(f"sep=;\r\nname;url\r\nAnn;{web.url}/a.jpg\r\n")
    return once(count(web, 1, web.write(f"{n}.csv", text.encode()).name, str(n)) for n, text in enumerate(texts))


@recipe("a list in UTF-16 (Excel's Unicode text), with or without a byte order mark")
def utf_16(web: WebPlace) -> str:
    text = f"name\turl\nZoë\t{web.url}/a.jpg\n"
    encodings = ("utf-16", "utf-16-le", "utf-16-be")
    return once(count(web, 1, web.write(f"{code}.csv", text.encode(code)).name, code) for code in encodings)


@recipe("`URL`, `Image URL`, `image`, `path`, `file_name` and the like for `url`")
def spellings(web: WebPlace) -> str:
    names = ("URL", "Image URL", "image", "path", "file_name", "image-url")
    found = [
        count(web, 1, web.write(f"{name}.csv", f"id,{name}\n1,{web.url}/a.jpg\n".encode()).name, name) for name in names
    ]
    web.write("list.csv", f"url,where\nhttp://h/none.jpg,{web.url}/a.jpg\n".encode())
    return once([*found, web.run("list.csv", url_column="where").happened()])


@recipe("a text without a header, and one with the line `url`")
def plain_text(web: WebPlace) -> str:
    web.write("photos/c.jpg")
    texts = (f"{web.url}/a.jpg\n\n{web.url}/b.jpg", f"url\r\n{web.url}/a.jpg\r\nphotos/c.jpg\r\n")
    return once(count(web, 2, web.write(f"{n}.txt", text.encode()).name, str(n)) for n, text in enumerate(texts))


@recipe("paths of photos below the folder of a local list")
def paths(web: WebPlace) -> str:
    web.write("ann/a.jpg")
    web.write("ann/b c.jpg")
    found = web.run(web.listed("ann/a.jpg", str(web.path / "ann/b c.jpg"), "./ann/a.jpg", header="path"))
    assert set(found.photos) == {"ann/a.jpg", "ann/b c.jpg"}
    return found.happened()


@recipe("a path with `..`, one to another folder, or a link that leads out of the list's folder")
def paths_outside(web: WebPlace) -> str:
    web.write("other/a.jpg")
    web.write("lists/b.jpg")
    (web.path / "lists/link.jpg").symlink_to("../other/a.jpg")
    outside = ["../other/a.jpg", f"{web.path}/other/a.jpg", "/etc/passwd", "//h/a.jpg", "link.jpg"]
    web.write("lists/list.txt", "\n".join(["b.jpg", *outside]).encode())
    return web.run("lists/list.txt").happened(*outside, detail="leads out of the (list's folder|dataset)")


@recipe("a path without a photo")
def no_photo(web: WebPlace) -> str:
    return web.run(web.listed("@/a.jpg", "photos/gone.jpg")).happened("photos/gone.jpg", detail="no such file")


@recipe("a path in a list from the web or a bucket")
def paths_from_elsewhere(web: WebPlace) -> str:
    web.write("a.jpg")
    rows = ["a.jpg", str(web.path / "a.jpg"), f"file://{web.path}/a.jpg"]
    web.answers["/list.txt"] = Answer("\n".join([f"{web.url}/b.jpg", *rows]).encode())
    return web.run(f"{web.url}/list.txt").happened(*rows, detail="neither http")


@recipe("labels from a column: `label_column=person`")
def labels(web: WebPlace) -> str:
    rows = ["ann/a.jpg, Ann ", "bob/b.jpg,Bob", "bob/c.jpg,"]
    for row in rows:
        web.write(row.partition(",")[0])
    found = web.run(web.listed(*rows, header="path,person"), label_column="person")
    assert [photo.label for photo in found.rows] == ["Ann", "Bob", ""]
    return found.happened()


@recipe("the same photo in several rows with different labels")
def other_labels(web: WebPlace) -> str:
    found = web.run(web.listed("@/a.jpg,Ann", "@/a.jpg,Bob", "@/b.jpg,Bob", header="url,label"), labels="column")
    assert [photo.label for photo in found.rows] == ["Ann", "Bob"]
    assert found.source.warnings == ("1 rows repeat a photo with another label: the first row's label counts",)
    return found.kind(f"{web.url}/a.jpg")


@recipe("names from a column: `name_column=id`; a name that two photos have")
def names_from_a_column(web: WebPlace) -> str:
    found = web.run(web.listed("@/a.jpg,x", "@/b.jpg,y", "@/c.jpg,x", header="url,id"), name_column="id")
    outcomes = sorted((row.name, row.outcome) for row in found.rows)
    assert outcomes == [("x", "ok"), ("x", "unreadable"), ("y", "ok")]
    return "`unreadable`"


def hub(web: WebPlace, file: str, *rows: tuple[bytes | None, int], image: object = None) -> None:
    """A table as the package `datasets` writes it."""
    cells = [{"bytes": data, "path": f"{n}.jpg"} for n, (data, _) in enumerate(rows)]
    features = {"image": {"_type": "Image"}, "label": {"names": ["ann", "bob"], "_type": "ClassLabel"}}
    table = pa.table({"image": image or cells, "label": [label for _, label in rows]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (web.path / file).parent.mkdir(exist_ok=True)
    pq.write_table(table, web.path / file)


@recipe("Parquet with the photos' bytes, as Hugging Face datasets have them (`image: {bytes, path}`)")
def bytes_in_parquet(web: WebPlace) -> str:
    hub(web, "train.parquet", (web.jpeg, 0), (web.png, 1))
    found = web.run("train.parquet")
    assert set(found.photos) == {"train.parquet/00000000-0.jpg", "train.parquet/00000001-1.jpg"}
    return found.happened()


@recipe("Parquet with the photos' bytes in a binary column")
def binary_column(web: WebPlace) -> str:
    pq.write_table(pa.table({"key": ["x"], "jpg": [web.jpeg]}), web.path / "train.parquet")
    assert set(web.run("train.parquet", "named", name_column="key", url_column="jpg").photos) == {"x"}
    pq.write_table(pa.table({"image": [web.jpeg]}), web.path / "image.parquet")
    return count(web, 1, "image.parquet")


@recipe("a row of such a table without bytes")
def no_bytes(web: WebPlace) -> str:
    hub(web, "train.parquet", (web.jpeg, 0), (None, 1), (b"", 1))
    names = [f"train.parquet/0000000{n}-{n}.jpg" for n in (1, 2)]
    return web.run("train.parquet").happened(*names, detail="its row has no bytes")


@recipe("a folder of Parquet tables without photos, or a glob of them")
def several_tables(web: WebPlace) -> str:
    for n in range(2):
        hub(web, f"data/train-{n}.parquet", (web.jpeg, 0), (web.png, 1))
    web.write("data/README.md", b"text")
    outcomes = [count(web, 4, dataset, str(n)) for n, dataset in enumerate(("data", "data/train-*.parquet"))]
    assert web.run("data", "0").passed_over == {"sidecar and text files": 1}
    web.write("data/a.jpg")
    assert set(web.run("data", "mixed").photos) == {"a.jpg"}
    return once(outcomes)


@recipe("labels from a `ClassLabel` of Hugging Face")
def class_labels(web: WebPlace) -> str:
    hub(web, "train.parquet", (web.jpeg, 1), (web.jpeg, 0), (web.jpeg, -1))
    found = web.run("train.parquet", label_column="label")
    assert [photo.label for photo in found.rows] == ["bob", "ann", ""]
    return found.happened()


@recipe("CSV with a quotation mark that is not closed, or a comma in a value without quotation marks")
def two_ways_to_read(web: WebPlace) -> str:
    texts = ('@/a.jpg,"Smith\n@/b.jpg,Bob', "@/a.jpg,Smith, Ann")
    return once(
        web.refusal(
            web.listed(text, header="url,person"), r"row 2 has|end of data", f"results-{n}", label_column="person"
        )
        for n, text in enumerate(texts)
    )


@recipe("labels that are not UTF-8, such as Excel's plain CSV")
def labels_in_another_encoding(web: WebPlace) -> str:
    web.write("list.csv", f"url;person\n{web.url}/a.jpg;José\n".encode("cp1252"))
    return web.refusal("list.csv", "is not UTF-8: save the list as UTF-8", label_column="person")


@recipe("paths as Windows writes them (`people\\ann.jpg`), or in the other Unicode form of é")
def paths_of_other_systems(web: WebPlace) -> str:
    web.write("people/ann.jpg", web.jpeg)
    web.write(unicodedata.normalize("NFD", "José.jpg"), web.png)
    web.write("list.csv", "path\npeople\\ann.jpg\nJosé.jpg\n".encode())
    return count(web, 2)


@recipe("a column of labels that holds texts of more than 1,000 letters")
def long_labels(web: WebPlace) -> str:
    path = web.listed(f"@/a.jpg,{'x' * 1001}", header="url,caption")
    return web.refusal(path, "a label has more than 1,000 characters", label_column="caption")


@recipe("a list that expands to more than 200 times its bytes, and 256 MiB", long=True)
def bomb(web: WebPlace) -> str:
    long = b"x" * 1_000_000
    texts = {"csv": b"url\n" + (long + b"\n") * 280, "jsonl": (b'{"url": "' + long + b'"}\n') * 280}
    return once(
        web.refusal(web.write(f"list.{form}.zst", zstd(text)).name, "decompression bomb", f"results-{form}")
        for form, text in texts.items()
    )


@recipe("Parquet whose footer declares other sizes than its pages have")
def lying_footer(web: WebPlace) -> str:
    hub(web, "train.parquet", (web.jpeg, 0), (web.png, 1))
    data = (web.path / "train.parquet").read_bytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") :]
    web.write("train.parquet", data[: len(data) // 4] + footer)
    return web.refusal("train.parquet", "is not readable as Parquet")


@recipe("CSV without a header")
def no_header(web: WebPlace) -> str:
    return web.refusal(web.listed("@/b.jpg", header="@/a.jpg"), "Put a line `url` before its first address")


@recipe("a list without a column of addresses, or without the column that a setting names")
def no_column(web: WebPlace) -> str:
    path = web.listed("@/a.jpg", header="where")
    web.refusal(
        path, "no column 'who' \\(label_column\\); its columns are: 'where'", url_column="where", label_column="who"
    )
    return web.refusal(path, "no column 'url'.* or the like .*; its columns are: 'where'")


@recipe("`data:`, `ftp:`, or an address without `http:`")
def other_addresses(web: WebPlace) -> str:
    rows = ["ftp://h/a.jpg", '"data:image/jpeg;base64,AAAA"', "h.example/a.jpg"]
    return web.run(web.listed("@/a.jpg", *rows)).happened(
        rows[0], "data:image/jpeg;base64,AAAA", rows[2], detail="its url is neither http|no such file"
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
