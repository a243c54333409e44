"""Photos of every mode and oddity, made from faces of the sample, beside what `face_recognition` makes of them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import face_recognition
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from PIL.PngImagePlugin import PngInfo

import meanface
from detection import find_faces
from meanface.embedder.decode import decode
from meanface.embedder.embedder import FaceEmbedder
from meanface.photo_settings import FacesPolicy
from meanface.settings import Settings

SETTINGS = Settings(dataset="sample", exif_orientation=False)
SAMPLE = Path(meanface.__file__).parent / "dataset" / "sample" / "photos"
COLLINS = "eileen_collins/astronaut.jpg", (90, 30, 290, 230)
HOPPER = "grace_hopper/grace_hopper.jpg", (140, 60, 400, 320)
"""a photo, and the part that is cut out"""
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, and steps"""


class OddPhoto(NamedTuple):
    """A photo's bytes."""

    name: str
    data: bytes
    as_if: bytes
    """what `face_recognition` has to be given for the same pixels: the same bytes, but for a rule of the document"""


Maker = Callable[[Image.Image, int], bytes | tuple[bytes, bytes]]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture's file."""
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def turned(kind: str, number: int) -> dict[str, object]:
    """Options that have a file name an EXIF orientation, one of eight."""
    exif = Image.Exif()
    exif[0x112] = number % 8 + 1
    return {"exif": exif.tobytes() if kind == "PNG" else exif}


def frames(image: Image.Image) -> dict[str, object]:
    """Options that put a second picture behind the first."""
    return {"save_all": True, "append_images": [ImageOps.invert(image.convert("RGB")).convert(image.mode)]}


def png(samples: NDArray[np.uint8 | np.uint16], interlaced: bool) -> bytes:
    """A PNG such as Pillow does not write: RGB of 8 or 16 bits, in seven passes."""
    rows, columns, _ = samples.shape
    big = samples.astype(samples.dtype.newbyteorder(">"))
    lines = []
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        part = big[top::down, left::across]
        lines += [b"\0" + line.tobytes() for line in part if line.size]
    header = struct.pack(">IIBBBBB", columns, rows, 8 * samples.itemsize, 2, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def with_large_text(image: Image.Image) -> bytes:
    """A PNG with more text than Pillow takes by itself."""
    info = PngInfo()
    info.add_text("Comment", "x" * 2_000_000, zip=True)
    return encoded(image, "PNG", pnginfo=info)


def deep(image: Image.Image, kind: str, order: str = "<") -> tuple[bytes, bytes]:
    """16-bit grey; its upper eight bits."""
    grey = np.asarray(image.convert("L"))
    samples = (grey.astype(np.uint16) << 8 | grey[::-1]).astype(f"{order}u2")
    return encoded(Image.fromarray(samples), kind), encoded(Image.fromarray(grey), "PNG")


def packed_12_bits(greys: NDArray[np.uint16]) -> bytes:
    """A TIFF of greys from 0 to 4,095, two of them in three bytes; columns are even."""
    pairs = greys.reshape(-1, 2).astype(np.uint32)
    bits = pairs[:, 0] << 12 | pairs[:, 1]
    strip = np.stack([bits >> 16, bits >> 8, bits], axis=1).astype(np.uint8).tobytes()
    rows, columns = greys.shape
    tags = {256: columns, 257: rows, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<4sI", b"II*\0", 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


def unit_floats(image: Image.Image) -> tuple[bytes, bytes]:
    """Grey from 0 to 1; times 255."""
    grey = np.asarray(image.convert("L"))
    samples = (grey.astype(np.float32) + np.float32(0.5)) / 256
    return encoded(Image.fromarray(samples), "TIFF"), encoded(Image.fromarray((samples * 255).astype(np.uint8)), "PNG")


def numbers(image: Image.Image, kind: type) -> bytes:
    """Grey from 0 to 255 in another type of number."""
    return encoded(Image.fromarray(np.asarray(image.convert("L")).astype(kind)), "TIFF")


MAKERS: dict[str, Maker] = {
    "JPEG": lambda image, _: encoded(image, "JPEG", quality=95),
    "JPEG, 4:4:4": lambda image, _: encoded(image, "JPEG", subsampling=0),
    "JPEG, 4:2:2": lambda image, _: encoded(image, "JPEG", subsampling=1),
    "JPEG, poor": lambda image, _: encoded(image, "JPEG", quality=25, optimize=True),
    "JPEG, progressive": lambda image, _: encoded(image, "JPEG", progressive=True),
    "JPEG, grey": lambda image, _: encoded(image.convert("L"), "JPEG"),
    "JPEG, CMYK of Adobe": lambda image, _: encoded(image.convert("CMYK"), "JPEG"),
    "JPEG, RGB of Adobe": lambda image, _: encoded(image, "JPEG", keep_rgb=True),
    "JPEG, restarts": lambda image, _: encoded(image, "JPEG", restart_marker_blocks=5),
    "JPEG, turned": lambda image, number: encoded(image, "JPEG", **turned("JPEG", number)),
    "JPEG, two pictures": lambda image, _: encoded(image, "MPO", **frames(image)),
    "JPEG without end": lambda image, _: encoded(image, "JPEG")[:-2],
    "JPEG, progressive, without end": lambda image, _: encoded(image, "JPEG", progressive=True)[:-2],
    "JPEG and a video": lambda image, _: encoded(image, "JPEG") + b"\0\0\0\x18ftypmp42" + bytes(900),
    "PNG": lambda image, _: encoded(image, "PNG"),
    "PNG, grey": lambda image, _: encoded(image.convert("L"), "PNG"),
    "PNG, grey and alpha": lambda image, _: encoded(image.convert("LA"), "PNG"),
    "PNG, alpha": lambda image, _: encoded(with_alpha(image), "PNG"),
    "PNG, palette": lambda image, _: encoded(image.quantize(250), "PNG"),
    "PNG, palette of 16": lambda image, _: encoded(image.quantize(16), "PNG", bits=4),
    "PNG, one colour transparent": lambda image, _: encoded(image.quantize(250), "PNG", transparency=7),
    "PNG, palette with alpha": lambda image, _: encoded(image.quantize(200), "PNG", transparency=bytes(range(200))),
    "PNG, a grey transparent": lambda image, _: encoded(image.convert("L"), "PNG", transparency=100),
    "PNG, one bit": lambda image, _: encoded(image.convert("1"), "PNG"),
    "PNG, 16-bit grey": lambda image, _: deep(image, "PNG"),
    "PNG, 16-bit colours": lambda image, _: png(np.asarray(image).astype(np.uint16) * 257, False),
    "PNG, interlaced": lambda image, _: png(np.asarray(image), True),
    "PNG, turned": lambda image, number: encoded(image, "PNG", **turned("PNG", number)),
    "PNG, animated": lambda image, _: encoded(image, "PNG", **frames(image)),
    "PNG with a large text": lambda image, _: with_large_text(image),
    "GIF": lambda image, _: encoded(image, "GIF"),
    "GIF, grey": lambda image, _: encoded(image.convert("L"), "GIF", interlace=0),
    "GIF, transparent": lambda image, _: encoded(image.quantize(200), "GIF", transparency=3),
    "GIF, animated": lambda image, _: encoded(image, "GIF", **frames(image)),
    "BMP": lambda image, _: encoded(image, "BMP"),
    "BMP, alpha": lambda image, _: encoded(with_alpha(image), "BMP"),
    "BMP, palette": lambda image, _: encoded(image.quantize(250), "BMP"),
    "BMP, grey": lambda image, _: encoded(image.convert("L"), "BMP"),
    "BMP, one bit": lambda image, _: encoded(image.convert("1"), "BMP"),
    "WebP": lambda image, _: encoded(image, "WEBP"),
    "WebP, lossless": lambda image, _: encoded(image, "WEBP", lossless=True),
    "WebP, alpha": lambda image, _: encoded(with_alpha(image), "WEBP"),
    "WebP, turned": lambda image, number: encoded(image, "WEBP", **turned("WEBP", number)),
    "WebP, animated": lambda image, _: encoded(image, "WEBP", **frames(image)),
    "TIFF": lambda image, _: encoded(image, "TIFF"),
    "TIFF, LZW": lambda image, _: encoded(image, "TIFF", compression="tiff_lzw"),
    "TIFF, Deflate": lambda image, _: encoded(image, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, PackBits": lambda image, _: encoded(image, "TIFF", compression="packbits"),
    "TIFF, JPEG": lambda image, _: encoded(image, "TIFF", compression="jpeg"),
    "TIFF, YCbCr": lambda image, _: encoded(image.convert("YCbCr"), "TIFF", compression="jpeg"),
    "TIFF, CMYK": lambda image, _: encoded(image.convert("CMYK"), "TIFF"),
    "TIFF, grey": lambda image, _: encoded(image.convert("L"), "TIFF"),
    "TIFF, grey and alpha": lambda image, _: encoded(image.convert("LA"), "TIFF"),
    "TIFF, alpha": lambda image, _: encoded(with_alpha(image), "TIFF", compression="tiff_lzw"),
    "TIFF, palette": lambda image, _: encoded(image.quantize(250), "TIFF"),
    "TIFF, palette and alpha": lambda image, _: encoded(image.quantize(250).convert("PA"), "TIFF"),
    "TIFF, one bit": lambda image, _: encoded(image.convert("1"), "TIFF", compression="group4"),
    "TIFF, 16-bit grey": lambda image, _: deep(image, "TIFF"),
    "TIFF, 16-bit grey, big end first": lambda image, _: deep(image, "TIFF", ">"),
    "TIFF, 32-bit grey": lambda image, _: numbers(image, np.int32),
    "TIFF, floats to 255": lambda image, _: numbers(image, np.float32),
    "TIFF, floats to 1": lambda image, _: unit_floats(image),
    "TIFF, turned": lambda image, number: encoded(image, "TIFF", **turned("TIFF", number)),
    "TIFF, pages": lambda image, _: encoded(image, "TIFF", **frames(image)),
    "BigTIFF": lambda image, _: encoded(image, "TIFF", big_tiff=True),
}


def with_alpha(image: Image.Image) -> Image.Image:
    """A picture that is transparent at its left."""
    image = image.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").rotate(90).resize(image.size))
    return image


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures in one; the lower one ends in black."""
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def odd_photos(count: int) -> Iterator[OddPhoto]:
    """The first ones of a series in which kinds, faces and sizes take turns."""
    collins, hopper = (Image.open(SAMPLE / name).convert("RGB").crop(box) for name, box in (COLLINS, HOPPER))
    faces = [collins, hopper, side_by_side(collins, hopper)]
    random = Random(1)
    for number in range(count):
        name, make = list(MAKERS.items())[number % len(MAKERS)]
        image = random.choice(faces)
        size = random.uniform(0.5, 1.1)
        image = image.resize((round(image.width * size), round(image.height * size * random.uniform(0.9, 1.1))))
        if random.random() < 0.5:
            image = ImageOps.mirror(image)
        made = make(image, number // len(MAKERS))
        data, as_if = made if isinstance(made, tuple) else (made, made)
        yield OddPhoto(f"{number}: {name}, {image.width} x {image.height}", data, as_if)


def compared(photo: OddPhoto, embedder: FaceEmbedder) -> int:
    """Hold a photo's faces, boxes and embeddings against `face_recognition`'s; how many faces it has."""
    ours = find_faces(embedder, decode(photo.data, SETTINGS).pixels, FacesPolicy.ALL)
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # as that package has it
    pixels = face_recognition.load_image_file(io.BytesIO(photo.as_if))
    boxes = face_recognition.face_locations(pixels)
    assert [face.box for face in ours.faces] == boxes, photo.name
    for face, theirs in zip(ours.faces, face_recognition.face_encodings(pixels), strict=True):
        np.testing.assert_allclose(face.embedding, theirs, rtol=0, atol=1e-6, err_msg=photo.name)
    return len(boxes)
