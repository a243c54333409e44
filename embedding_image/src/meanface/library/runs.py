"""`meanface.run` and `meanface.open`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from meanface.cli import environment
from meanface.cli.output_folder import default_output
from meanface.errors import SettingsError
from meanface.library.progress import Progress
from meanface.results.reader import Result
from meanface.settings import Settings

Address = str | os.PathLike[str]
"""a local path, or the address of a bucket or server"""


def run(
    dataset: Address | Iterable[Address],
    output: Address | None = None,
    *,
    workers: int | None = None,
    progress: bool | None = None,
    date: datetime | None = None,
    **settings: Any,
) -> Result:
    """Compute the mean face of a dataset, in this process and its worker processes.

    It is the command `meanface run`: the same files, the same bits. An interrupted run continues
    when it is called again with the same arguments. A finished one is only read, unless photos
    have changed or may have: those behind URLs are embedded again. The earlier result stays until
    the new one is complete.

    Parameters
    ----------
    dataset
        a folder, one photo, a list, an archive, a bucket prefix, `sample` or `lfw`, as in
        docs/datasets.md; or several of them, as a list
    output
        folder or address for all files of the result; it must be new, empty, or of the same run. By
        default a folder here that is named after the dataset: `photos-mean`
    workers
        number of worker processes, by default one for each CPU
    progress
        whether to show a progress bar; by default in a terminal and in a notebook
    date
        fills in `%Y`, `%m`, `%d`, `%H` and the like in the dataset's address
    settings
        any setting of `meanface.Settings`, such as `labels="parent_folder"` or `faces="all"`

    Returns
    -------
    Result
        the result, as `meanface.open` reads it

    Raises
    ------
    UsageError
        a setting is invalid (`SettingsError`), there is no such dataset (`DatasetNotFound`), or the
        output folder has files of others (`OutputNotEmpty`)
    DataError
        no photo has a face (`NoFaceFound`), the dataset has no photo (`EmptyDataset`), too many
        photos failed (`TooManyFailures`), or the output folder has another run (`Conflict`)
    InfrastructureError
        storage or a server cannot be reached, or is full; the same call may succeed later

    Examples
    --------
    >>> import meanface, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> result = meanface.run("sample", folder, labels="parent_folder", progress=False)
    >>> result.faces, result.mean.shape, result.outcomes["no_face"]
    (6, (128,), 1)
    """
    from meanface.dataset import resolve
    from meanface.pipeline.local import run_locally
    from meanface.storage.files import Storage
    from meanface.system import available_cpus

    if workers is not None and workers < 1:
        raise SettingsError(f"workers={workers!r}: at least one worker process is needed")
    chosen = Settings.of(dataset=resolve(_addresses(dataset), date), **settings)
    storage = Storage(environment.absolute(os.fspath(output or default_output(chosen.dataset))))
    with Progress(shown=progress) as display:
        run_locally(
            chosen,
            storage,
            workers=workers or available_cpus(),
            cache=environment.cache(),
            kernels=environment.kernels(),
            network_policy=environment.network_policy("dataset"),
            planned=display.expect,
            listener=display.show,
        )
    return open(storage.url)


def open(address: Address) -> Result:  # noqa: A001 - read as meanface.open
    """Read the result of a run or a series, wherever it is.

    Its numbers are read and checked at once, its ledger when it is asked for. Results of earlier
    versions can be read.

    Parameters
    ----------
    address
        the folder that holds `result.json`, or that file itself: a local path, or the address of a
        bucket, such as `s3://bucket/runs/nightly`

    Returns
    -------
    Result
        the result

    Raises
    ------
    DatasetNotFound
        there is no result
    DamagedRecord
        it cannot be read, or its mean is not that of its moments
    SettingsError
        the address is one of http(s), or its kind needs an extra such as `meanface[s3]`
    StorageUnavailable
        the bucket cannot be reached

    Examples
    --------
    >>> import meanface, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> run = meanface.run("sample", folder, progress=False)
    >>> bool((meanface.open(folder).mean == run.mean).all())
    True
    """
    return Result.at(environment.absolute(os.fspath(address)), environment.network_policy("dataset"))


def _addresses(dataset: Address | Iterable[Address]) -> str:
    r"""Make the setting `dataset`, one address a line.

    >>> _addresses(["photos", "more.zip"])
    'photos\nmore.zip'
    """
    if isinstance(dataset, str | os.PathLike):
        return os.fspath(dataset)
    given = [os.fspath(one) for one in dataset]
    if broken := [one for one in given if "\n" in one]:
        raise SettingsError(f"dataset {broken[0]!r} has a line break, so it needs a run of its own")
    if not given:
        raise SettingsError("the list of datasets is empty: name at least one")
    return "\n".join(given)
