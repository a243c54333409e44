"""docs/compatibility.md, Photos: what the bytes of a photo may be."""

from __future__ import annotations

import random
import struct

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from compatibility import Place, Recipes, encoded
from heic import ORIENTATION, declared, exif, heic, heic_deep, heic_grid
from oddphotos import packed_12_bits

recipe = Recipes("Photos")


def test_photos(what: str, place: Place) -> None:
    recipe.check(what, place)


def brand(name: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + name + bytes(4) + name + b"mif1" + bytes(100)


VIDEO = b"\0\0\0\x18ftypmp42" + bytes(4) + b"mp42isom" + bytes(100)


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def with_second(place: Place) -> bytes:
    """A JPEG with an index (MPF) of a second picture behind it, as Ultra HDR has its gain map."""
    return encoded(place.portrait, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64), "red")], quality=90)


def followed(place: Place, kind: str, **options: object) -> bytes:
    """A file with the portrait first, and an empty picture behind it."""
    return encoded(
        place.portrait, kind, save_all=True, append_images=[Image.new("RGB", place.portrait.size)], **options
    )


@recipe("suffix in capitals, `.jfif`, `.jpe`")
def suffixes(place: Place) -> str:
    for name in ("a.JPG", "b.Jpeg", "c.JFIF", "d.jpe"):
        place.write(f"photos/{name}")
    return place.run().happened("a.JPG", "b.Jpeg", "c.JFIF", "d.jpe")


@recipe("a suffix that is another format's")
def other_suffix(place: Place) -> str:
    for kind in ("PNG", "WEBP", "GIF", "BMP", "TIFF"):
        place.write(f"photos/{kind}.jpg", encoded(place.portrait, kind))
    place.write("photos/jpeg.png")
    return place.run().happened()


@recipe("JPEG, progressive")
def progressive(place: Place) -> str:
    return place.photo("a.jpg", encoded(place.portrait, progressive=True))


@recipe("JPEG in CMYK, as Adobe inverts it")
def cmyk(place: Place) -> str:
    data = encoded(place.portrait.convert("CMYK"))
    assert b"Adobe" in data
    return place.photo("a.jpg", data)


@recipe("JPEG in grey")
def grey(place: Place) -> str:
    return place.photo("a.jpg", encoded(place.portrait.convert("L")))


@recipe("JPEG with a gain map (Ultra HDR) or other pictures behind it (MPO)")
def gain_map(place: Place) -> str:
    place.write("photos/b.mpo", with_second(place))
    place.write("photos/a.jpg", with_second(place))
    return place.run().happened("a.jpg", "b.mpo")


@recipe("JPEG whose second picture is cut off, or whose index of pictures is damaged")
def damaged_index(place: Place) -> str:
    data = with_second(place)
    place.write("photos/cut.jpg", data[:-300])
    place.write("photos/index.jpg", data.replace(b"MPF\0II", b"MPF\0XX"))
    return place.run().happened("cut.jpg", "index.jpg")


@recipe("JPEG with a video behind it (motion photo)")
def motion_photo(place: Place) -> str:
    return place.photo("a.jpg", place.jpeg + b"MotionPhoto_Data" + brand(b"mp42") + noise(5000))


@recipe("JPEG without its end marker, also with a phone's video behind it")
def no_end_marker(place: Place) -> str:
    place.write("photos/cut.jpg", place.jpeg[:-2])
    place.write("photos/video.jpg", place.jpeg[:-2] + brand(b"mp42") + noise(5000))
    return place.run().happened("cut.jpg", "video.jpg")


@recipe("JPEG cut in the middle, or a progressive one between two scans, also filled up with zeros")
def cut(place: Place) -> str:
    progressive = encoded(place.portrait, progressive=True)
    fine = encoded(place.portrait, quality=98)
    place.write("photos/zeros.jpg", fine[: len(fine) // 2] + bytes(len(fine) // 2))
    place.write("photos/half.jpg", place.jpeg[: len(place.jpeg) // 2])
    place.write("photos/scans.jpg", progressive[: progressive.rindex(b"\xff\xda")])
    return place.run().happened("half.jpg", "scans.jpg", "zeros.jpg", detail="truncated")


@recipe("JPEG that is damaged before its end marker")
def damaged_inside(place: Place) -> str:
    below = len(place.jpeg) * 19 // 20  # below the face, so that it is recognised
    place.write("photos/cut.jpg", place.jpeg[:below] + b"\xff\xd9")
    return place.run().happened("cut.jpg")


@recipe("photo turned by its EXIF orientation")
def turned(place: Place) -> str:
    moves = dict(zip(range(2, 9), (0, 3, 1, 5, 2, 6, 4), strict=True))  # what each orientation undoes
    for orientation, move in moves.items():
        exif = Image.Exif()
        exif[0x112] = orientation
        place.write(f"photos/{orientation}.jpg", encoded(place.portrait.transpose(Image.Transpose(move)), exif=exif))
    return place.run().happened()


@recipe("orientation in PNG, WebP, TIFF or MPO")
def turned_others(place: Place) -> str:
    exif, lying = Image.Exif(), place.portrait.transpose(Image.Transpose.ROTATE_90)
    exif[0x112] = 6
    for kind in ("PNG", "WEBP", "TIFF"):
        place.write(f"photos/{kind}.png", encoded(lying, kind, exif=exif))
    place.write("photos/mpo.jpg", encoded(lying, "MPO", exif=exif, save_all=True, append_images=[lying]))
    return place.run().happened()


@recipe("an EXIF orientation that is none: 0, 9, 65535")
def no_orientation(place: Place) -> str:
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[0x112] = value
        place.write(f"photos/{value}.jpg", encoded(place.portrait, exif=exif))
    return place.run().happened()


@recipe("HEIC or AVIF, whatever its suffix")
def heic_and_avif(place: Place) -> str:
    for suffix in ("heic", "HEIF", "hif", "avif", "jpg"):
        place.write(f"photos/heic.{suffix}", heic(place.portrait))
        place.write(f"photos/avif.{suffix}", encoded(place.portrait, "AVIF"))
    return place.run().happened()


@recipe("HEIC in tiles, as iPhones write it")
def tiles(place: Place) -> str:
    return place.photo("a.heic", heic_grid(place.portrait, 64))


@recipe("HEIC turned by its container")
def turned_heic(place: Place) -> str:
    moves = dict(zip(range(2, 9), (0, 3, 1, 5, 2, 6, 4), strict=True))  # what each orientation undoes
    for orientation, move in moves.items():
        lying = place.portrait.transpose(Image.Transpose(move))
        place.write(f"photos/{orientation}.heic", heic(lying, exif=exif(orientation)))
        place.write(f"photos/{orientation}-tiles.heic", heic_grid(lying, 64, orientation))
    left = place.run(output="left", exif_orientation=False)
    assert left.happened() == "read"
    return place.run().happened()


@recipe("AVIF turned by its container")
def turned_avif(place: Place) -> str:
    moves = dict(zip(range(2, 9), (0, 3, 1, 5, 2, 6, 4), strict=True))  # what each orientation undoes
    for orientation, move in moves.items():
        lying = place.portrait.transpose(Image.Transpose(move))
        place.write(f"photos/{orientation}.avif", encoded(lying, "AVIF", exif=exif(orientation)))
    return place.run().happened()


@recipe("HEIC or AVIF whose EXIF orientation is not its container's")
def other_exif(place: Place) -> str:
    for name, data in {
        "heic": heic(place.portrait, exif=exif(1)),
        "avif": encoded(place.portrait, "AVIF", exif=exif(1)),
    }.items():
        at = data.find(ORIENTATION) + len(ORIENTATION)
        place.write(f"photos/a.{name}", data if at < len(ORIENTATION) else data[:at] + b"\6" + data[at + 1 :])
    return place.run().happened("a.heic", "a.avif")


@recipe("HEIC or AVIF with several pictures, or a sequence")
def several_pictures(place: Place) -> str:
    place.write("photos/a.heic", heic(place.portrait, Image.new("RGB", place.portrait.size)))
    place.write("photos/a.avifs", followed(place, "AVIF"))
    return place.run().happened("a.heic", "a.avifs")


@recipe("HEIC with 10 or 12 bits")
def deep_heic(place: Place) -> str:
    grey = Image.fromarray(np.asarray(place.portrait.convert("L")).astype(np.uint16) * 257)
    place.write("photos/grey.heic", heic(grey))
    place.write("photos/10.heic", heic_deep(place.portrait, 10))
    place.write("photos/12.heic", heic_deep(place.portrait, 12))
    return place.run().happened("grey.heic", "10.heic", "12.heic")


@recipe("HEIC or AVIF with transparent pixels, or in grey")
def transparent_heic(place: Place) -> str:
    for mode in ("RGBA", "LA", "L"):
        place.write(f"photos/{mode}.heic", heic(place.portrait.convert(mode)))
        place.write(f"photos/{mode}.avif", encoded(place.portrait.convert(mode), "AVIF"))
    return place.run().happened()


@recipe("HEIC or AVIF that is cut off, or filled up with zeros")
def cut_heic(place: Place) -> str:
    files = {"tiles.heic": heic_grid(place.portrait, 64), "a.heic": heic(place.portrait)}
    files["a.avif"] = encoded(place.portrait, "AVIF")
    for name, data in files.items():
        place.write(f"photos/cut-{name}", data[: len(data) // 2])
        place.write(f"photos/zeros-{name}", data[: len(data) // 2] + bytes(len(data) // 2))
    return place.run().happened(detail="truncated|broken copy")


@recipe("HEIC or AVIF that declares more pixels than `max_pixels`")
def large_heic(place: Place) -> str:
    place.write("photos/a.heic", declared(heic(place.portrait), 60_000, 60_000))
    place.write("photos/tiles.heic", declared(heic_grid(place.portrait, 64), 60_000, 60_000))
    place.write("photos/a.avif", declared(encoded(place.portrait, "AVIF"), 60_000, 60_000))
    return place.run().happened(detail="60,000 x 60,000 pixels, more than max_pixels=200,000,000")


@recipe("HEIC that declares another size than its picture has")
def lying_heic(place: Place) -> str:
    place.write("photos/large.heic", declared(heic(place.portrait), 10_000, 10_000))
    place.write("photos/small.heic", declared(heic(place.portrait), 16, 16))
    return place.run().happened("large.heic", "small.heic")


@recipe("JPEG 2000 or JPEG XL named `.jpg`")
def jpeg_2000(place: Place) -> str:
    place.write("photos/2000.jpg", encoded(place.portrait, "JPEG2000"))
    place.write("photos/xl.jpg", b"\xff\x0a" + bytes(50))
    return place.run().happened("2000.jpg", "xl.jpg", detail="but a JPEG (2000|XL) photo: convert it")


@recipe("TGA, ICO, PSD, SVG, PDF or a video named as a photo")
def other_formats(place: Place) -> str:
    files = {"TGA": encoded(place.portrait, "TGA"), "ICO": encoded(place.portrait, "ICO"), "PSD": b"8BPS" + bytes(50)}
    files |= {"SVG": b"<svg/>", "PDF": b"%PDF-1.7", "video": VIDEO}
    for name, data in files.items():
        place.write(f"photos/{name}.jpg", data)
    return place.run().happened(detail="not a photo in a supported format, but ")


@recipe("an HTML page or a text named as a photo")
def page(place: Place) -> str:
    place.write("photos/page.jpg", b"<!DOCTYPE html><title>Log in</title>")
    place.write("photos/text.jpg", b"404 not found")
    return place.run().happened("page.jpg", "text.jpg", detail="but (an HTML page|a text): download or copy it again")


@recipe("a pointer of Git LFS or git-annex")
def pointer(place: Place) -> str:
    place.write("photos/lfs.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    place.write("photos/annex.jpg", b"/annex/objects/SHA256E-s5--0.jpg\n")
    return place.run().happened("lfs.jpg", "annex.jpg", detail="fetch the file with `git (lfs pull|annex get)`")


@recipe("an empty file, or one of zero bytes")
def empty(place: Place) -> str:
    place.write("photos/empty.jpg", b"")
    place.write("photos/zeros.jpg", bytes(5000))
    return place.run().happened("empty.jpg", "zeros.jpg", detail="(empty file|zero bytes.*): download or copy it again")


@recipe("PNG with a palette, or with transparent pixels")
def transparent(place: Place) -> str:
    place.write("photos/palette.png", encoded(place.portrait.quantize(200), "PNG", transparency=3))
    for mode in ("LA", "RGBA"):
        place.write(f"photos/{mode}.png", encoded(place.portrait.convert(mode), "PNG"))
    return place.run().happened()


def damaged(data: bytes, chunk: bytes) -> bytes:
    """A PNG with a wrong checksum."""
    at = data.index(chunk)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + b"\0\1\2\3" + data[end + 4 :]


def with_text(place: Place, text: str) -> bytes:
    info = PngInfo()
    info.add_text("Comment", text, zip=True)
    return encoded(place.portrait, "PNG", pnginfo=info)


@recipe("PNG with large texts, metadata (XMP) or colour profile")
def large_chunks(place: Place) -> str:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "x" * 2_000_000, zip=True)
    place.write("photos/text.png", with_text(place, "x" * 2_000_000))
    place.write("photos/xmp.png", encoded(place.portrait, "PNG", pnginfo=info))
    place.write("photos/profile.png", encoded(place.portrait, "PNG", icc_profile=bytes(2_000_000)))
    return place.run().happened("text.png", "xmp.png", "profile.png")


@recipe("PNG whose checksum is wrong in a text or in another chunk that pixels do not need")
def damaged_text(place: Place) -> str:
    place.write("photos/text.png", damaged(with_text(place, "hello"), b"zTXt"))
    place.write("photos/density.png", damaged(encoded(place.portrait, "PNG", dpi=(72, 72)), b"pHYs"))
    return place.run().happened("text.png", "density.png")


@recipe("PNG whose checksum is wrong in its header or palette")
def damaged_header(place: Place) -> str:
    place.write("photos/header.png", damaged(place.png, b"IHDR"))
    place.write("photos/palette.png", damaged(encoded(place.portrait.quantize(200), "PNG"), b"PLTE"))
    return place.run().happened("header.png", "palette.png", detail="damaged")


@recipe("PNG or TIFF in 12-bit or 16-bit grey")
def sixteen_bits(place: Place) -> str:
    grey = np.asarray(place.portrait.convert("L")).astype(np.uint16) * 257
    place.write("photos/a.png", encoded(Image.fromarray(grey), "PNG"))
    place.write("photos/a.tif", encoded(Image.fromarray(grey), "TIFF"))
    place.write("photos/big.tif", encoded(Image.fromarray(grey.astype(">u2")), "TIFF"))
    place.write("photos/twelve.tif", packed_12_bits(grey[:, : grey.shape[1] // 2 * 2] >> 4))
    return place.run().happened("a.png", "a.tif", "big.tif", "twelve.tif")


@recipe("PNG or TIFF in 16-bit grey whose largest value is at most 255")
def dark_sixteen_bits(place: Place) -> str:
    grey = np.asarray(place.portrait.convert("L")).astype(np.uint16)
    place.write("photos/a.png", encoded(Image.fromarray(grey), "PNG"))
    place.write("photos/a.tif", encoded(Image.fromarray(grey), "TIFF"))
    return place.run().happened("a.png", "a.tif")


@recipe("JPEG, PNG, WebP or TIFF with an EXIF or TIFF tag that cannot be read")
def odd_tag(place: Place) -> str:
    odd = struct.pack("<HHII", 0x10E, 2, 4000, 0x7FFFFFFF)  # a description beyond the file
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + odd + bytes(4)
    for kind in ("JPEG", "PNG", "WEBP"):
        place.write(f"photos/{kind}.jpg", encoded(place.portrait, kind, exif=exif))
    written = struct.pack("<HHI", 0x10E, 2, 6)
    tiff = encoded(place.portrait, "TIFF", tiffinfo={0x10E: "hello"})
    at = tiff.index(written)
    place.write("photos/a.tif", tiff[:at] + odd + tiff[at + 12 :])
    return place.run().happened()


@recipe("TIFF: LZW, Deflate, JPEG, YCbCr, BigTIFF")
def tiffs(place: Place) -> str:
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        place.write(f"photos/{compression}.tif", encoded(place.portrait, "TIFF", compression=compression))
    place.write("photos/ycbcr.tif", encoded(place.portrait.convert("YCbCr"), "TIFF", compression="jpeg"))
    place.write("photos/big.tif", encoded(place.portrait, "TIFF", big_tiff=True))
    return place.run().happened()


@recipe("TIFF with several pages")
def pages(place: Place) -> str:
    return place.photo("a.tif", followed(place, "TIFF"))


@recipe("TIFF of floating-point numbers from 0 to 1")
def unit_floats(place: Place) -> str:
    grey = np.asarray(place.portrait.convert("L"), np.float32) / 255
    place.write("photos/a.tif", encoded(Image.fromarray(grey), "TIFF"))
    odd = grey * np.float32(1.02)
    odd[0, :9] = np.nan
    place.write("photos/odd.tif", encoded(Image.fromarray(odd), "TIFF"))
    return place.run().happened("a.tif", "odd.tif")


@recipe("TIFF of 32-bit whole numbers beyond 255")
def whole_numbers(place: Place) -> str:
    grey = np.asarray(place.portrait.convert("L")).astype(np.int32) * 65_536 + 256
    return place.photo("a.tif", encoded(Image.fromarray(grey), "TIFF"))


@recipe("TIFF of floating-point numbers from 0 to 255")
def floats(place: Place) -> str:
    return place.photo("a.tif", encoded(Image.fromarray(np.asarray(place.portrait.convert("L"), np.float32)), "TIFF"))


@recipe("GIF, WebP or PNG with several frames")
def frames(place: Place) -> str:
    for kind in ("GIF", "WEBP", "PNG"):
        place.write(f"photos/{kind}.png", followed(place, kind))
    return place.run().happened()


@recipe("BMP with a palette, or with alpha")
def bitmaps(place: Place) -> str:
    place.write("photos/palette.bmp", encoded(place.portrait.quantize(200), "BMP"))
    place.write("photos/alpha.bmp", encoded(place.portrait.convert("RGBA"), "BMP"))
    return place.run().happened()


@recipe("more pixels than `max_pixels`")
def too_many_pixels(place: Place) -> str:
    return place.photo("a.jpg", max_pixels=256 * 256 - 1, detail="256 x 256 pixels, more than max_pixels=65,535")


@recipe("more bytes than `max_bytes`")
def too_many_bytes(place: Place) -> str:
    return place.photo("a.jpg", max_bytes=len(place.jpeg) - 1, detail="bytes, more than max_bytes")
