"""A progress bar in a terminal; imported where there is one, as Rich takes a while."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from meanface.cli.meter import Meter, rate_and_time_left
from meanface.pipeline.progress import Progress as Record


class Bar:
    """A progress bar on stderr; `table` is its content, for a notebook."""

    def __init__(self) -> None:
        self._meter = Meter()
        columns = (TextColumn("embed"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        self._bar = Progress(*columns, console=Console(stderr=True, force_jupyter=False))
        self._task = self._bar.add_task("embed", total=None, rate="")
        self.start, self.stop, self.expect = self._bar.start, self._bar.stop, self._meter.expect

    def show(self, record: Record) -> None:
        """Show the newest record of a partition."""
        done, photos, rate, left = self._meter.read(record, time.monotonic())
        text = rate_and_time_left(rate, left) if done < photos else ""
        self._bar.update(self._task, total=photos, completed=done, rate=text)

    def table(self) -> Table:
        """The bar as it is now."""
        return self._bar.make_tasks_table(self._bar.tasks)
