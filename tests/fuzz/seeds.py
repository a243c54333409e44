"""Writes the corpus' first inputs: small photos of every format, and archives of every kind.

`python -m fuzz.seeds` makes them again. They are kept as files, because encoders differ from version to version, and
an input of a given number is to be the same everywhere. Other folders hold inputs that once broke something.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fuzz.target import CORPUS
from heic import exif as turned
from heic import heic, heic_grid

GRADIENT = Image.merge("RGB", [Image.linear_gradient("L").rotate(turn).resize((24, 16)) for turn in (0, 90, 180)])


def photos() -> Iterator[tuple[str, bytes]]:
    """Small pictures, in as many ways as Pillow writes them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    palette, two = GRADIENT.quantize(8), [GRADIENT.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    alpha = GRADIENT.copy()
    alpha.putalpha(128)
    options: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "baseline.jpg": (GRADIENT, "JPEG", {}),
        "turned.jpg": (GRADIENT, "JPEG", {"exif": exif}),
        "progressive.jpg": (GRADIENT, "JPEG", {"progressive": True}),
        "restarts.jpg": (GRADIENT, "JPEG", {"restart_marker_blocks": 1}),
        "profile.jpg": (GRADIENT, "JPEG", {"icc_profile": bytes(200)}),
        "grey.jpg": (GRADIENT.convert("L"), "JPEG", {}),
        "cmyk.jpg": (GRADIENT.convert("CMYK"), "JPEG", {}),
        "rgb.png": (GRADIENT, "PNG", {"exif": exif}),
        "palette.png": (palette, "PNG", {"transparency": b"\0\x80"}),
        "deep.png": (GRADIENT.convert("I;16"), "PNG", {}),
        "animated.png": (GRADIENT, "PNG", {"save_all": True, "append_images": two}),
        "lossy.webp": (GRADIENT, "WEBP", {"exif": exif}),
        "lossless.webp": (alpha, "WEBP", {"lossless": True}),
        "animated.webp": (GRADIENT, "WEBP", {"save_all": True, "append_images": two}),
        "animated.gif": (palette, "GIF", {"save_all": True, "append_images": [image.quantize(4) for image in two]}),
        "interlaced.gif": (palette, "GIF", {"interlace": 1}),
        "rgb.bmp": (GRADIENT.crop((0, 0, 12, 8)), "BMP", {}),
        "palette.bmp": (palette, "BMP", {}),
        "bits.bmp": (GRADIENT.convert("1"), "BMP", {}),
        "big.tiff": (GRADIENT, "TIFF", {"big_tiff": True}),
        "bits.tiff": (GRADIENT.convert("1"), "TIFF", {"compression": "group4"}),
    }
    packings = ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    options |= {f"{packing}.tiff": (GRADIENT, "TIFF", {"compression": packing, "exif": exif}) for packing in packings}
    for name, (image, kind, wanted) in options.items():
        yield name, _saved(image, kind, **wanted)
    yield "runs.bmp", _bmp_of_runs()
    yield "turned.avif", _saved(GRADIENT, "AVIF", exif=exif)
    yield "animated.avif", _saved(GRADIENT, "AVIF", save_all=True, append_images=two)
    yield "alpha.avif", _saved(alpha, "AVIF")
    yield "turned.heic", heic(GRADIENT, exif=turned(6), quality=40)
    yield "alpha.heic", heic(alpha, quality=40)
    yield "tiles.heic", heic_grid(GRADIENT.resize((32, 16)), 16)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def _bmp_of_runs() -> bytes:
    """A BMP of 4 x 2 pixels in run-length encoding, which Pillow reads and does not write."""
    palette, pixels = bytes([0, 0, 0, 0, 255, 255, 255, 0]), bytes([4, 1, 0, 0, 0, 4, 0, 1, 1, 0, 0, 1])
    offset = 14 + 40 + len(palette)
    sizes = (40, 4, 2, 1 | 8 << 16, 1, len(pixels), 0, 0, 2, 0)
    head = b"BM" + (offset + len(pixels)).to_bytes(4, "little") + bytes(4) + offset.to_bytes(4, "little")
    return head + b"".join(size.to_bytes(4, "little") for size in sizes) + palette + pixels


def tars() -> Iterator[tuple[str, bytes]]:
    """Tar archives of each dialect, and one of all types of members."""
    photo = dict(photos())["bits.bmp"]
    for name, dialect in {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}.items():
        long = ("n" * 90 + "/" + "é" * 20) if name != "ustar" else "folder/b"
        yield f"{name}.tar", _tar({"a.jpg": photo, f"{long}.jpg": photo[:20], "notes.txt": b"text"}, dialect)
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
        types = (
            tarfile.DIRTYPE,
            tarfile.LNKTYPE,
            tarfile.SYMTYPE,
            tarfile.CHRTYPE,
            tarfile.FIFOTYPE,
            tarfile.GNUTYPE_SPARSE,
        )
        for number, kind in enumerate(types):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.type, info.linkname = kind, "a.jpg"
            archive.addfile(info)
        for name in ("../out.jpg", "/abs.jpg", "./a.jpg", "a.jpg"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    yield "types.tar", _short(output.getvalue())


def _tar(members: dict[str, bytes], dialect: int) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=dialect) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return _short(output.getvalue())


def _short(archive: bytes) -> bytes:
    """Without the zeros that fill up the last 10 kB, but for the end marker's."""
    used = archive.rstrip(b"\0")
    return used + bytes(-len(used) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def packed() -> Iterator[tuple[str, bytes]]:
    """Compressed tar archives, and zip archives of each method."""
    plain = dict(tars())
    yield "gnu.tgz", gzip.compress(plain["gnu.tar"], mtime=0)
    yield "ustar.tar.bz2", bz2.compress(plain["ustar.tar"])
    yield "types.tar.xz", lzma.compress(plain["types.tar"])
    methods = {
        "stored": zipfile.ZIP_STORED,
        "deflated": zipfile.ZIP_DEFLATED,
        "bz2": zipfile.ZIP_BZIP2,
        "lzma": zipfile.ZIP_LZMA,
    }
    for name, method in methods.items():
        output = io.BytesIO()
        with zipfile.ZipFile(output, "w", method) as archive:
            for member in ("a.jpg", "folder/é.jpg", "../out.jpg", "notes.txt"):
                archive.writestr(zipfile.ZipInfo(member), b"pixels " * 20, method)
        yield f"{name}.zip", output.getvalue()
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as member:
        member.write(b"pixels")
    yield "zip64.zip", output.getvalue()


def url_lists() -> Iterator[tuple[str, bytes]]:
    """Lists of addresses."""
    urls = [
        "https://photos.example/a.jpg",
        "https://photos.example/show?photo=2",
        "s3://photos/ü.jpg",
        "/etc/passwd",
        "",
    ]
    rows = [f"{url},{name}" for url, name in zip(urls, ["ada", "", "zoë", "x", "y"], strict=True)]
    yield "plain.csv", "\r\n".join(["url,name", *rows]).encode()
    yield (
        "quoted.csv",
        b'\xef\xbb\xbfname,url,more\n"a ""b"",\nc",https://photos.example/a.jpg,1\n,"s3://photos/b.jpg"\n',
    )
    labelled = "label;Image URL\n" + "".join(f"{name};{url}\n" for url, name in zip(urls, "abcde", strict=True))
    yield "semicolons.csv", labelled.encode("utf-16")
    yield "plain.txt", "\n".join([*urls, "a.jpg", "../secret.jpg"]).encode()
    lines = [{"path": "a.jpg", "label": 7}, *({"path": url, "label": None, "more": [{}]} for url in urls)]
    yield "plain.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    yield "plain.csv.gz", gzip.compress(labelled.encode(), mtime=0)
    yield "plain.csv.zst", pa.compress(labelled.encode(), "zstd", asbytes=True)
    cells = [
        {"bytes": b"photo", "path": "a.jpg"},
        {"bytes": None, "path": None},
        None,
        {"bytes": b"p" * 40, "path": "b"},
    ]
    features = {"image": {"_type": "Image"}, "label": {"names": ["ann", "bob"], "_type": "ClassLabel"}}
    table = pa.table({"image": cells, "label": [0, 1, -1, 7]})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    for name, packing in (("photos.parquet", "zstd"), ("plain-photos.parquet", "none")):
        output = io.BytesIO()
        pq.write_table(table, output, compression=packing, store_schema=False)
        yield name, output.getvalue()
    for name, columns in {
        "text.parquet": {"url": urls, "name": ["ada", None, "zoë", "x", "y"]},
        "bytes.parquet": {"url": pa.array([url.encode() for url in urls])},
        "dictionary.parquet": {"url": pa.array(urls).dictionary_encode(), "number": list(range(5))},
    }.items():
        output = io.BytesIO()
        pq.write_table(pa.table(columns), output, compression="zstd", store_schema=name != "bytes.parquet")
        yield name, output.getvalue()


def _families() -> dict[str, Iterator[tuple[str, bytes]]]:
    """Folder of the corpus -> its files. Tar archives are mostly zeros, and compressed here."""
    compressed = ((f"{name}.gz", gzip.compress(data, mtime=0)) for name, data in tars())
    return {"photo": photos(), "tar": compressed, "packed": packed(), "list": url_lists()}


def main() -> None:
    """Write all of them."""
    for folder, files in _families().items():
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files:
            (CORPUS / folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
