"""One run of a test: where its photos, files and store are, and its stages as processes."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from faults.driver import Script
from faults.outcome import Bits, WrongAnswer, bits
from faults.processes import Driver, Ended
from faults.valkey import PASSWORD, Valkey
from meanface.storage.files import Storage


@dataclass(frozen=True)
class Place:
    """Everything that a run's stages share."""

    driver: Driver
    valkey: Valkey
    photos: str
    storage: str
    """folder or address"""
    partitions: int
    partition_size: int
    script: Script
    """settings that all of its processes share"""
    run: str = "run"
    redis_port: int = 0
    """the port of Redis in the stages' environment; by default the server's own port"""
    patience: float = 30.0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Storage:
        return Storage(f"{self.storage}/runs/{self.run}")

    @property
    def stages(self) -> list[str]:
        """In their order."""
        return ["plan", *(f"embed {index}" for index in range(self.partitions)), "reduce"]

    def stage(
        self, name: str, stopped: Callable[[int, str], bool] = lambda *_: True, *, attempt: int = 0, **script: object
    ) -> Ended:
        """Run one stage; the keywords change its script."""
        command, *partition = name.split()
        arguments = [command, "--run", self.run]
        if command == "plan":
            arguments += ["--dataset", self.photos, "--partition-size", str(self.partition_size)]
            arguments += ["--faces", "all", "--labels", "parent_folder"]
        elif command == "embed":
            arguments += ["--partition", *partition, "--workers", "1", "--attempt", str(attempt)]
        environment = os.environ | self.environment
        environment |= {
            "MEANFACE_REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{self.redis_port or self.valkey.port}",
            "MEANFACE_REDIS_PATIENCE": str(self.patience),
            "MEANFACE_STORAGE": self.storage,
        }
        return self.driver.run(arguments, environment, replace(self.script, **script), stopped)

    def plain(self, **script: object) -> Bits:
        """All stages, one after the other, and what they leave.

        Raises
        ------
        WrongAnswer
            one of them fails, or they leave what cannot be
        """
        patient = replace(self, patience=60.0)  # nothing disturbs it but a machine that is short of time
        for name in self.stages:
            ended = patient.stage(name, **script)
            if ended.code:
                raise WrongAnswer(f"a plain run of {name} ends with {ended.code}: {ended.log}")
        return self.bits()

    def mean(self) -> bytes:
        """The mean of the result: 128 float64."""
        return struct.pack("<128d", *json.loads(self.files.read("result.json"))["mean"])

    def bits(self) -> Bits:
        """What the run has left."""
        return bits(self.files, self.valkey.result(self.run))
