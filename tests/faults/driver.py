"""A process that has imported meanface and forks one child for each stage it is asked for.

A child is a real process that runs `meanface.cli.app.main` with arguments and an environment of its
own, and dies of real signals; forking only saves it two seconds of imports. What is not real in it,
as its script says:

- photos are embedded by `embedder.py` instead of `meanface.workers.child` (unless `real`), at the seam where
  `meanface.workers.pool` starts workers; messages, sockets, deaths and restarts of workers are real;
- no report is drawn (unless `real`), which takes longer than the whole stage;
- chunks hold `chunk` photos instead of 256;
- I/O is counted (`steps.py`), and at a step the process may die, lose what is not synced, ask its starter to do
  something, or find its clock elsewhere; storage may be slow;
- one of the bugs of `planted.py` may be in it.

Asked over a UNIX socket, whose path is the argument: one connection for each child, lines of JSON.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import fsspec

from faults import embedder, planted
from faults.powercut import Disk
from faults.steps import Steps, install
from meanface import pipeline
from meanface import state as _store
from meanface.cli import app, display
from meanface.ledger import chunk
from meanface.results import report
from meanface.workers import pool, process

PRELOADED = (app, display, report, pipeline, pool, _store)


@dataclass(frozen=True)
class Script:
    """What happens to one process."""

    folders: list[str] = field(default_factory=list)
    """whose files count as I/O"""
    die_at: int = 0
    """the step before which it is killed; 0 for none"""
    power_cut: bool = False
    """whether unsynced changes are lost when the process dies, or else when it has ended"""
    unsynced: str = ""
    """file that passes the unsynced changes of one process on to the next"""
    stops: list[int] = field(default_factory=list)
    """steps before which its starter is asked"""
    clock_at: int = 0
    clock_by: float = 0.0
    """seconds by which the wall clock jumps at a step"""
    slow: float = 0.0
    """seconds that each access to storage takes longer"""
    chunk: int = chunk.CHUNK_PHOTOS
    real: bool = False
    bug: str = ""
    trace: str = ""
    """file that gets the description of every step"""


class Child:
    """The child's side of a connection; it speaks by file number, as sockets are counted."""

    def __init__(self, descriptor: int, script: Script) -> None:
        self._descriptor, self._script = descriptor, script
        self._asks = False
        self._disk = Disk()
        self._trace: list[str] = []
        self.steps = Steps(script.folders, self.reached)

    def prepare(self) -> None:
        script = self._script
        for module in [module for name, module in sys.modules.items() if name.startswith("meanface")]:
            if hasattr(module, "CHUNK_PHOTOS"):
                module.CHUNK_PHOTOS = script.chunk
        if not script.real:
            process.COMMAND = (sys.executable, "-S", "-E", str(Path(embedder.__file__)))
            report.html = lambda material: f"<p>{len(material.thumbnails)}</p>"
        if script.bug:
            planted.BUGS[script.bug]()
        if script.unsynced:
            self._disk.take_over(Path(script.unsynced))
        install(self.steps, self._disk)

    def reached(self, step: int, what: str) -> None:
        script = self._script
        if script.trace:
            self._trace.append(what)
        if step == script.die_at:
            if script.power_cut:
                self._disk.cut()
            elif script.unsynced:
                self._disk.leave(Path(script.unsynced))
            os.kill(os.getpid(), signal.SIGKILL)
        if step == script.clock_at:
            real = time.time
            time.time = lambda: real() + script.clock_by
        if script.slow and not what.startswith(("send", "receive")):
            time.sleep(script.slow)
        self._asks = self._asks or step in script.stops
        if self._asks:
            os.write(self._descriptor, json.dumps({"stop": step, "what": what}).encode() + b"\n")
            self._asks = os.read(self._descriptor, 100) != b"go\n"

    def finish(self) -> None:
        steps = self.steps.count
        if self._script.power_cut and not self._script.die_at:
            self._disk.cut()
        if self._script.trace:
            Path(self._script.trace).write_text("\n".join(self._trace))
        os.write(self._descriptor, json.dumps({"steps": steps}).encode() + b"\n")


def run_stage(connection: socket.socket, request: dict[str, Any]) -> NoReturn:
    """In the child process: run the stage under its script."""
    with Path(request["log"]).open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    fsspec.config.set_conf_env(fsspec.config.conf)  # as it does when it is imported
    sys.argv = ["meanface", *request["arguments"]]
    child = Child(connection.fileno(), Script(**request["script"]))
    child.prepare()
    code = 0
    try:
        app.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # what nobody catches ends a process with its traceback and 1
        traceback.print_exc()
        code = 1
    child.finish()
    sys.stdout.flush()
    os._exit(code)  # taking a forked interpreter down takes longer than the stage


def serve(path: str) -> None:
    """Fork for every connection, and say on it how the child ended."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    reader.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(reader, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)  # who started this has ended when its standard input does
    children: dict[int, socket.socket] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj == 0:
                return
            if key.fileobj is reader:
                reader.recv(1000)
                _reap(children)
                continue
            connection, _ = listener.accept()
            request = json.loads(connection.makefile("rb").readline())
            child = os.fork()
            if not child:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (listener, reader, writer, selector, *children.values()):
                    other.close()
                run_stage(connection, request)
            children[child] = connection


def _reap(children: dict[int, socket.socket]) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        with children.pop(child) as connection, suppress(BrokenPipeError):  # nobody may wait for it any more
            connection.sendall(json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


if __name__ == "__main__":
    import s3fs  # noqa: F401 - imported before the fork, for the stages that use it

    gc.freeze()  # children do not touch, and so copy, what is there
    serve(sys.argv[1])
