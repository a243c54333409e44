"""Progress of `meanface.run`: a bar in a terminal or a notebook, and nothing elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Self

import structlog

from meanface.cli.logging import configure
from meanface.cli.progress_bar import Bar
from meanface.ledger.manifest import Manifest

if TYPE_CHECKING:
    from meanface.pipeline.progress import Progress as Record


class Progress:
    """Shows progress records; warnings are logged, unless the program has configured structlog itself.

    `shown` is None to show a bar in a terminal and in a notebook only.
    """

    def __init__(self, *, shown: bool | None = None) -> None:
        self._notebook = in_notebook()
        self._shown = (self._notebook or sys.stderr.isatty()) if shown is None else shown
        self._bar: Bar | None = None
        self._output: Any = None
        self._configured_here = not structlog.is_configured()

    def __enter__(self) -> Self:
        if self._configured_here:
            configure(logging.WARNING)
        if self._shown:
            self._bar = Bar()
            if self._notebook:
                import IPython.display

                show: Any = IPython.display.display
                self._output = show(self._bar.table(), display_id=True)
            else:
                self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar and self._notebook:
            self._output.update(self._bar.table())
        elif self._bar:
            self._bar.stop()
        if self._configured_here:
            structlog.reset_defaults()

    def expect(self, manifest: Manifest) -> None:
        """Count up to all photos of the manifest."""
        if self._bar:
            self._bar.expect(manifest)

    def show(self, record: Record) -> None:
        """Show the newest record of a partition."""
        if self._bar:
            self._bar.show(record)
            if self._notebook:
                self._output.update(self._bar.table())


def in_notebook() -> bool:
    """Whether this process is the kernel of a Jupyter notebook, which then has imported IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
