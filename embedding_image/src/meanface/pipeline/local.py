"""Run all stages in one process, without Airflow and Redis."""

from __future__ import annotations

from collections.abc import Callable

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.kernels import KernelChoice
from meanface.ledger.manifest import Manifest
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.progress import Progress
from meanface.pipeline.run import Run
from meanface.results import report
from meanface.results.result import ResultRecord
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.workers.pool import Workers
from meanface.workers.process import WorkerProcess

NAME = "local"


def run_locally(  # noqa: PLR0913 - a caller needs three
    settings: Settings,
    output: Storage,
    *,
    workers: int,
    cache: str | None = None,
    kernels: KernelChoice = KernelChoice.AUTO,
    network_policy: NetworkPolicy = PUBLIC,
    first: WorkerProcess | None = None,
    planned: Callable[[Manifest], None] = lambda _: None,
    listener: Callable[[Progress], None] = lambda _: None,
) -> ResultRecord:
    """Plan, embed and reduce; an interrupted run resumes from what it has left in `output`.

    Raises `Conflict` if `output` holds a run over another dataset or with other settings.

    Parameters
    ----------
    output
        for all files of the run
    workers
        number of worker processes; `first` is one that was started before (`first_worker`)
    cache, kernels, network_policy
        as in `Run`
    planned, listener
        called with the manifest, and with every progress record
    """
    run = Run(NAME, MemoryState(NAME), output, cache, kernels=kernels, network_policy=network_policy)
    with Workers(
        workers, settings, cache, kernels, network_policy, first=first, while_busy=report.template
    ) as processes:
        manifest = plan(run, settings)
        planned(manifest)
        for partition in manifest.partitions:
            embed(run, partition.index, processes, listener=listener)
    return reduce(run)
