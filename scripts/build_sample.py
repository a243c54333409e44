"""Build the sample dataset from portraits in the packages scikit-image, matplotlib and nikola.

    pip download --no-deps nikola==8.3.3
    python scripts/build_sample.py nikola-8.3.3-py3-none-any.whl [FOLDER]

The first two packages have to be installed; nikola is read from its wheel. With the same Pillow the
photos have the same bytes each time. Origins, licences and changes are in SOURCES.md beside them.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

SAMPLE = Path(__file__).parents[1] / "embedding_image/src/meanface/dataset/sample/photos"
QUALITY = 90
TESLA = "nikola/data/samplesite/galleries/demo"
"""nikola's folder of photos of Nikola Tesla"""

FROM_NIKOLA = {
    "nikola_tesla/hand_at_chin.jpg": "1545262744055ad4c1d9780ba00ea5f5dda6147423b53635c323cbdb5a117f7d",
    "nikola_tesla/hand_at_temple.jpg": "1f20c0ca7a80e3a8b45ea34f6be20104cd7358a38d080388c51200ca45c8fa65",
}
"""photo -> SHA-256, of those that are made from nikola's wheel"""


def original(package: str, path: str) -> bytes:
    """The content of an installed package's file."""
    return Path(str(distribution(package).locate_file(path))).read_bytes()


def opened(data: bytes) -> Image.Image:
    """Decode a photo."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def jpeg(image: Image.Image, orientation: int | None = None) -> bytes:
    """Encode an image as JPEG, without metadata except an EXIF orientation."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x112] = orientation
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY, subsampling=0, optimize=True, exif=exif)
    return encoded.getvalue()


def photos() -> dict[str, bytes]:
    """The photos from installed packages by their paths, whose folders are their labels."""
    collins = opened(original("scikit-image", "skimage/data/astronaut.png"))
    phone = ImageEnhance.Brightness(ImageOps.mirror(collins.crop((90, 0, 390, 300)))).enhance(1.25)
    hopper = original("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg")
    print_of_hopper = ImageOps.mirror(opened(hopper).crop((130, 30, 400, 360))).convert("L")
    return {
        "eileen_collins/astronaut.jpg": jpeg(collins.crop((40, 0, 420, 400))),
        "eileen_collins/on_its_side.jpg": jpeg(phone.rotate(90), orientation=6),
        "grace_hopper/black_and_white.jpg": jpeg(print_of_hopper),
        "grace_hopper/grace_hopper.jpg": hopper,
        "no_face/chelsea.jpg": jpeg(opened(original("scikit-image", "skimage/data/chelsea.png"))),
    }


def photos_of_tesla(wheel: Path) -> dict[str, bytes]:
    """The photos from nikola's wheel; ValueError if they are not the known ones."""
    with zipfile.ZipFile(wheel) as files:
        chin, temple = (files.read(f"{TESLA}/{name}") for name in ("tesla2_lg.jpg", "tesla4_lg.jpg"))
    cropped = jpeg(opened(temple).crop((40, 0, 250, 210)))
    found = dict(zip(FROM_NIKOLA, (chin, cropped), strict=True))
    for name, data in found.items():
        digest = hashlib.sha256(data).hexdigest()
        if digest != FROM_NIKOLA[name]:
            raise ValueError(f"{name}: SHA-256 is {digest}, expected {FROM_NIKOLA[name]}; use nikola 8.3.3")
    return found


def build(wheel: Path, folder: Path) -> None:
    """Write the sample's photos to a folder."""
    for name, data in (photos() | photos_of_tesla(wheel)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):9,} bytes  {path}")


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else SAMPLE)
