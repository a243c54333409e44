"""A node is lost or drained, the storage is full, a clock is wrong: the run ends with the same bits.

The cluster needs a second node that can be lost, as `../shared/kubernetes/up --nodes 2` gives.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kubectl import Namespace
from photos import Desk
from release import NAME, NAMESPACE, VALUES, Release
from test_left_pods import pods
from test_lost_node import BACK, NODE2, node2

from polling import until

PARTITIONS = 24
LOST_POD_SECONDS = "10"
HERE = {"nodeSelector": {"kubernetes.io/hostname": "node1"}}
CLOCK = Path(__file__).with_name("wrong_clock.c")


@pytest.fixture(scope="module")
def wide(cluster: None) -> Iterator[Release]:
    """The chart with a claim for many nodes; stages prefer the second node, all else is on the first."""
    nodes = json.loads(Namespace("default").kubectl("get", "nodes", "-o", "json"))["items"]
    if len(nodes) < 2 or not NODE2.exists():
        pytest.skip("the cluster has no second node that can be lost (../shared/kubernetes/up --nodes 2)")
    there = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node2"]}]}
    prefer = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": there}]}
    }
    patience = {"extraEnv": [{"name": "MEANFACE_LOST_POD_SECONDS", "value": LOST_POD_SECONDS}]}
    values = VALUES | {
        "airflow": VALUES["airflow"] | HERE | patience,
        "redis": HERE,
        "database": VALUES["database"] | HERE,
        "stages": VALUES["stages"] | {"affinity": prefer},
        "storage": {"claim": {"keep": False, "accessModes": ["ReadWriteMany"]}},
    }
    with Release(f"{NAMESPACE}-nodes", values).installed() as release:
        yield release


@pytest.fixture(scope="module")
def desk(wide: Release) -> Desk:
    return Desk(wide.namespace, "node1")


@pytest.fixture(scope="module")
def dataset(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A photo for each partition."""
    return desk.put_portraits(PARTITIONS, tmp_path_factory.mktemp("portraits"))


@pytest.fixture(scope="module")
def quiet(wide: Release, dataset: str) -> tuple[list[float], float]:
    """The mean of a run that nobody disturbs, and its seconds."""
    began = time.monotonic()
    return wide.succeeded(wide.trigger_anew(dataset, 1)), time.monotonic() - began


def there(wide: Release, run: str) -> list[str]:
    """A run's embed pods that run on the second node."""
    found = wide.namespace.objects("pods", component="embed", instance=NAME)
    return [
        pod["metadata"]["name"]
        for pod in found
        if pod["spec"].get("nodeName") == "node2"
        and pod["status"]["phase"] == "Running"
        and f"--run={run}" in pod["spec"]["containers"][0]["args"]
    ]


def check(wide: Release, desk: Desk, run: str, quiet: tuple[list[float], float]) -> None:
    """The quiet run's bits, each photo once, and no pod."""
    began = time.monotonic()
    assert wide.succeeded(run, 1200) == quiet[0]
    seconds = time.monotonic() - began
    ledger = desk.ledger(run)
    assert (ledger["photos"], ledger["whole"], ledger["mean"]) == (PARTITIONS, True, quiet[0])
    tries = wide.tries(run, "embed").values()
    until(lambda: not pods(wide, run), 120, every=1)
    print(
        f"\nended {seconds:.0f} s after the loss (a quiet run: {quiet[1]:.0f} s), "
        f"{sum(number - 1 for number in tries)} more attempts, at most {max(tries)} for a partition"
    )


LOSSES: dict[str, tuple[Callable[[Namespace], object], Callable[[Namespace], object]]] = {
    **{word: (lambda _, word=word: node2(word), lambda _, back=back: node2(back)) for word, back in BACK.items()},
    "drain": (
        lambda namespace: namespace.kubectl(
            "drain", "node2", "--ignore-daemonsets", "--force", "--delete-emptydir-data", seconds=300
        ),
        lambda namespace: namespace.kubectl("uncordon", "node2"),
    ),
}
"""how a node is lost, and how it comes back"""


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_outlives_a_node(
    wide: Release, desk: Desk, dataset: str, quiet: tuple[list[float], float], loss: str
) -> None:
    lose, bring_back = LOSSES[loss]
    run = wide.trigger_anew(dataset, 1)
    until(lambda: there(wide, run), 300, every=0.3)
    try:
        lose(wide.namespace)
        print(f"\n{loss}", end="")
        check(wide, desk, run, quiet)
    finally:
        bring_back(wide.namespace)


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed (Debian: gcc)")
@pytest.mark.parametrize("seconds", [3600, -3600])
def test_stages_with_a_wrong_clock_compute_the_same_bits(
    wide: Release, desk: Desk, dataset: str, quiet: tuple[list[float], float], seconds: int, tmp_path: Path
) -> None:
    """Their clock is not that of Redis, of Airflow and of the storage. Both nodes have this machine's files."""
    tmp_path.chmod(0o755)
    library = tmp_path / "wrong_clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", CLOCK, "-o", library], check=True)
    container = {"name": "base", "volumeMounts": [{"name": "clock", "mountPath": "/clock", "readOnly": True}]}
    spec = {"volumes": [{"name": "clock", "hostPath": {"path": str(tmp_path)}}], "containers": [container]}
    env = {"LD_PRELOAD": f"/clock/{library.name}", "CLOCK_OFFSET": str(seconds)}
    wide.upgrade(stages={"podTemplate": {"apiVersion": "v1", "kind": "Pod", "spec": spec}, "env": env})
    wide.until_ready()
    try:
        run = wide.trigger_anew(dataset, 1)
        print(f"\nclock {seconds:+} s", end="")
        check(wide, desk, run, quiet)
        embed = next(task for task in wide.ask(lambda airflow: airflow.tasks(run)) if task["task_id"] == "embed")
        log = "\n".join(wide.ask(lambda airflow: airflow.log(run, embed)))
        (stamp, *_) = re.findall(r"timestamp=(\S+Z)", log)
        wrong = datetime.fromisoformat(stamp) - datetime.now(UTC)
        assert abs(wrong.total_seconds() - seconds) < 900
    finally:
        wide.upgrade()
        wide.until_ready()


def test_a_run_waits_for_room_in_storage(
    wide: Release, desk: Desk, dataset: str, quiet: tuple[list[float], float]
) -> None:
    """The claim is full while partitions are embedded: a small file system lies over its runs."""
    claim = json.loads(wide.namespace.kubectl("get", "pvc", f"{NAME}-storage", "-o", "json"))
    volume = json.loads(wide.namespace.kubectl("get", "pv", claim["spec"]["volumeName"], "-o", "json"))
    folder = f"{volume['spec']['hostPath']['path']}/runs"
    small = ["mount", "-t", "tmpfs", "-o", "size=160k,mode=0777", "tmpfs", folder]
    wide.namespace.kubectl("cordon", "node2")  # the file system is this machine's
    try:
        subprocess.run(small, check=True, capture_output=True)
        run = wide.trigger_anew(dataset, 1)

        def full() -> list[str]:
            return [line for lines in wide.failures(run).values() for line in lines if "No space left" in line]

        lines = until(full, 300, every=1)
        print(f"\n{lines[0]}")
        assert any("exit code 4" in line for line in lines)
        subprocess.run(["mount", "-o", "remount,size=100m", folder], check=True, capture_output=True)
        assert wide.succeeded(run, 900) == quiet[0]
        assert sum(wide.summary(run)["outcomes"].values()) == PARTITIONS
        until(lambda: not [name for name in pods(wide, run) if name in wide.namespace.pods("Running")], 60)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)
        wide.namespace.kubectl("uncordon", "node2")
