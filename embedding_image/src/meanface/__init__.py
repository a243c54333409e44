"""The mean face embedding of a photo collection of any size, exact to the last bit.

Compute a result, read one, or find the faces of one image::

    import meanface

    result = meanface.run("photos/", "results/", labels="parent_folder")
    result.mean                                # float64[128]: the mean embedding
    result.faces, result.outcomes              # faces that count; photos by outcome
    result.embeddings()                        # Arrow table, one row for each face
    result.templates["Ada Lovelace"]           # mean, faces and spread of a label
    meanface.open("s3://bucket/runs/nightly")  # any result, wherever it is
    meanface.embed("portrait.jpg")             # the faces of one file, array or Pillow image

An embedding describes a face by 128 numbers of type float32, and two photos of one person have
similar ones: their Euclidean distance is usually below 0.6. Boxes are in pixels of the upright
photo, in the order top, right, bottom, left. The same photos and settings have the same bits as
with the command `meanface run`, and on a cluster.

Every setting of docs/settings.md is a keyword of `run`, and those that affect a photo of `embed`.
Photos are decoded in worker processes only, which a damaged photo may end without harm.

Errors are subclasses of `MeanfaceError`; `meanface.errors` draws the tree. The importing process
needs no `if __name__ == "__main__"`. Names are loaded when they are first used, so that
`import meanface` takes a few milliseconds.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meanface.embedder.faces import Box as Box
    from meanface.embedder.faces import Face as Face
    from meanface.errors import ChecksumMismatch as ChecksumMismatch
    from meanface.errors import Conflict as Conflict
    from meanface.errors import DamagedArchive as DamagedArchive
    from meanface.errors import DamagedRecord as DamagedRecord
    from meanface.errors import DataError as DataError
    from meanface.errors import DatasetNotFound as DatasetNotFound
    from meanface.errors import EmptyDataset as EmptyDataset
    from meanface.errors import IncompleteRun as IncompleteRun
    from meanface.errors import InfrastructureError as InfrastructureError
    from meanface.errors import MeanfaceError as MeanfaceError
    from meanface.errors import NoFaceFound as NoFaceFound
    from meanface.errors import OutputNotEmpty as OutputNotEmpty
    from meanface.errors import PhotoRefused as PhotoRefused
    from meanface.errors import RedisUnavailable as RedisUnavailable
    from meanface.errors import SettingsError as SettingsError
    from meanface.errors import StorageUnavailable as StorageUnavailable
    from meanface.errors import TooManyFailures as TooManyFailures
    from meanface.errors import UsageError as UsageError
    from meanface.library.image import embed as embed
    from meanface.library.runs import open as open  # noqa: A004 - read as meanface.open
    from meanface.library.runs import run as run
    from meanface.results.reader import Result as Result
    from meanface.results.templates import Template as Template
    from meanface.settings import Settings as Settings

    __version__: str

_ERRORS = (
    *("MeanfaceError", "UsageError", "SettingsError", "DatasetNotFound", "OutputNotEmpty"),
    *("DataError", "ChecksumMismatch", "DamagedArchive", "EmptyDataset", "NoFaceFound", "PhotoRefused"),
    *("TooManyFailures", "Conflict", "IncompleteRun", "DamagedRecord"),
    *("InfrastructureError", "RedisUnavailable", "StorageUnavailable"),
)
_HOMES = {
    "run": "meanface.library.runs",
    "open": "meanface.library.runs",
    "embed": "meanface.library.image",
    "Result": "meanface.results.reader",
    "Template": "meanface.results.templates",
    "Face": "meanface.embedder.faces",
    "Box": "meanface.embedder.faces",
    "Settings": "meanface.settings",
    **dict.fromkeys(_ERRORS, "meanface.errors"),
}

__all__ = [  # noqa: PLE0604 - as a reader meets them
    *("run", "open", "embed", "Result", "Template", "Face", "Box", "Settings"),
    *_ERRORS,
]


def __getattr__(name: str) -> Any:
    """Load a public name, or `__version__`, on demand: most take longer than `--help` should."""
    if name == "__version__":
        from importlib.metadata import version

        return version("meanface")
    if name in _HOMES:
        from importlib import import_module

        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__, "__version__"})
