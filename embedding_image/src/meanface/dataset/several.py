"""Several datasets in one run: each is a folder of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meanface.dataset.passed_over import merged
from meanface.dataset.photos import Dataset, PhotoSource, PhotoUnreadable
from meanface.dataset.refs import Part, PhotoRef, Source


class SeveralDataset:
    """The photos of several datasets, by the names of their folders: `FOLDER/name`."""

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        self._parts = parts

    @property
    def source(self) -> Source:
        """Where the photos come from; the accounts of all datasets are that of the whole."""
        sources = {name: part.source for name, part in self._parts.items()}
        without_account = {"passed_over": (), "warnings": ()}
        return Source(
            url=", ".join(source.url for source in sources.values()),
            kind="several",
            root="",
            parts=tuple(
                Part(name=name, source=source.model_copy(update=without_account)) for name, source in sources.items()
            ),
            passed_over=merged({name: source.passed_over for name, source in sources.items()}),
            warnings=tuple(f"{name}: {warning}" for name, source in sources.items() for warning in source.warnings),
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo of every dataset, one dataset after the other."""
        for name, part in self._parts.items():
            for ref in part.list():
                # The name of a photo behind a URL may be its address.
                source = ref.source or (ref.name if "://" in ref.name and not ref.refusal else "")
                yield ref._replace(name=f"{name}/{ref.name}", source=source)


class SeveralPhotos(PhotoSource):
    """Reads photos of several datasets; the first folder of a name tells which."""

    def __init__(self, parts: Mapping[str, PhotoSource]) -> None:
        super().__init__()
        self._parts = parts

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        folder, _, name = ref.name.partition("/")
        part = self._parts.get(folder)
        if part is None:
            raise PhotoUnreadable(f"the plan has no dataset {folder!r}")
        return part.read(ref._replace(name=name), max_bytes)

    def close(self) -> None:
        """As `PhotoSource.close`."""
        super().close()
        for part in self._parts.values():
            part.close()
