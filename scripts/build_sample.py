"""Build the sample dataset from photos in the packages scikit-image and matplotlib.

    python scripts/build_sample.py [FOLDER]

Small originals are copied; large PNGs are converted to JPEGs, which have the same pixels with the
same Pillow. Origins and licences are in SOURCES.md beside the photos.
"""

from __future__ import annotations

import io
import sys
from importlib.metadata import distribution
from pathlib import Path

from PIL import Image

SAMPLE = Path(__file__).parents[1] / "embedding_image/src/meanface/dataset/sample/photos"
QUALITY = 95
PORTRAIT_HEIGHT = 400


def original(package: str, path: str) -> bytes:
    """The content of an installed package's file."""
    return Path(str(distribution(package).locate_file(path))).read_bytes()


def jpeg(image: Image.Image) -> bytes:
    """Encode an image as JPEG, without metadata."""
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return encoded.getvalue()


def as_jpeg(data: bytes) -> bytes:
    """Convert a photo to JPEG."""
    with Image.open(io.BytesIO(data)) as image:
        return jpeg(image)


def side_by_side(left: bytes, right: bytes) -> bytes:
    """Combine two portraits in one photo, scaled to the same height."""
    portraits = []
    for data in (left, right):
        with Image.open(io.BytesIO(data)) as image:
            width = round(image.width * PORTRAIT_HEIGHT / image.height)
            portraits.append(image.convert("RGB").resize((width, PORTRAIT_HEIGHT), Image.Resampling.LANCZOS))
    both = Image.new("RGB", (sum(portrait.width for portrait in portraits), PORTRAIT_HEIGHT))
    both.paste(portraits[0], (0, 0))
    both.paste(portraits[1], (portraits[0].width, 0))
    return jpeg(both)


def photos() -> dict[str, bytes]:
    """Every photo of the sample by its path, whose folder is its label."""
    astronaut = original("scikit-image", "skimage/data/astronaut.png")
    hopper = original("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg")
    return {
        "eileen_collins/astronaut.jpg": as_jpeg(astronaut),
        "grace_hopper/grace_hopper.jpg": hopper,
        "composite/collins_and_hopper.jpg": side_by_side(astronaut, hopper),
        "no_face/camera.png": original("scikit-image", "skimage/data/camera.png"),
        "no_face/chelsea.png": original("scikit-image", "skimage/data/chelsea.png"),
        "no_face/coffee.jpg": as_jpeg(original("scikit-image", "skimage/data/coffee.png")),
        "no_face/rocket.jpg": original("scikit-image", "skimage/data/rocket.jpg"),
    }


def build(folder: Path) -> None:
    """Write the sample's photos to a folder."""
    for name, data in photos().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):9,} bytes  {path}")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else SAMPLE)
