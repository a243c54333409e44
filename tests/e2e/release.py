"""meanface installed from its chart, and what users do with it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import helm_python as helm
import httpx
from kubectl import Forward, KubectlError, Namespace
from redis import Redis

import postgresql_image
from laptop.api import Airflow, ApiError
from polling import until

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "charts" / "meanface"
NAME = "meanface"
MASTER = "meanface-airflow-0"
NAMESPACE = os.environ.get("E2E_NAMESPACE", "meanface-e2e")

TAG = os.environ.get("IMAGE_TAG", "")
"""of both images, as `make images` has it; empty for the chart's version"""

STANDS_IN = not os.environ.get("IMAGE_REGISTRY")
"""Whether PostgreSQL's image is built here. With a registry the official image is pulled."""

VALUES: dict[str, Any] = {
    "imageRegistry": os.environ.get("IMAGE_REGISTRY", ""),
    "airflow": {
        "image": {"tag": TAG},
        "parallelism": 6,
        "config": {"scheduler": {"task_instance_heartbeat_timeout": 120}},  # a killed scheduler's tasks: 120 s, not 300
    },
    "stages": {
        "image": {"tag": TAG},
        "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        "workers": 1,
        "pollInterval": 2,
        "pool": {"slots": 4},
    },
    "storage": {"claim": {"keep": False}},
    "database": {"image": {"repository": postgresql_image.REPOSITORY, "tag": postgresql_image.TAG}}
    if STANDS_IN
    else {},
}
"""For a small cluster: small requests, one process per pod, four pods at once."""

MAX_BYTES = count(200_000_000)
"""A different value for each run, and so a different recipe, so that no run reuses another one's
work."""

Answer = TypeVar("Answer")


class Release:
    """The chart in its own namespace."""

    def __init__(self, namespace: str, values: dict[str, Any], chart: Path = CHART) -> None:
        self.namespace = Namespace(namespace)
        self.chart = chart
        self._values = values
        self._ui: Forward | None = None
        self._redis: Forward | None = None

    @contextmanager
    def installed(self) -> Iterator[Release]:
        """The release, ready, in a namespace that has nothing else; both are deleted at the end."""
        self.namespace.delete()
        self.install()
        self.until_ready()
        yield self
        self.close()
        self.namespace.delete()

    def install(self, wait: str | None = "watcher") -> None:
        """Run `helm install --wait`."""
        with helm.Config(namespace=self.namespace.name) as config:
            place = {"namespace": self.namespace.name, "create_namespace": True}
            config.install(self.chart, NAME, self._values, **place, wait=wait, timeout=600)

    def upgrade(self, **values: dict[str, Any]) -> None:
        """Run `helm upgrade` to `chart`, with changed values."""
        changed = {section: self._values.get(section, {}) | keys for section, keys in values.items()}
        with helm.Config(namespace=self.namespace.name) as config:
            config.upgrade(self.chart, NAME, self._values | changed, namespace=self.namespace.name)

    def uninstall(self) -> None:
        """Run `helm uninstall`."""
        self.close()
        with helm.Config(namespace=self.namespace.name) as config:
            config.uninstall(NAME, wait="watcher", timeout=300)

    def test(self) -> None:
        """Run `helm test`; it raises an error if the test fails."""
        with helm.Config(namespace=self.namespace.name) as config:
            config.test(NAME, timeout=300)

    def close(self) -> None:
        """Close the port forwards."""
        for forward in (self._ui, self._redis):
            if forward is not None:
                forward.close()
        self._ui = self._redis = None

    def until_ready(self, seconds: float = 300) -> None:
        """Wait until every component is ready and healthy."""

        def healthy() -> bool:
            pods = self.namespace.objects("pods", instance=NAME)
            owned = [pod for pod in pods if pod["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"]
            conditions = [c for pod in owned for c in pod["status"].get("conditions", ()) if c["type"] == "Ready"]
            sets = self.namespace.objects("statefulsets,deployments", instance=NAME)
            wanted = sum(each["spec"]["replicas"] for each in sets)
            return len(owned) == len(conditions) == wanted and all(c["status"] == "True" for c in conditions)

        def rolled_out() -> bool:
            """Whether an upgrade has replaced all pods; an old pod may still be healthy."""
            sets = self.namespace.objects("statefulsets,deployments", instance=NAME)
            return all(
                each["status"].get("observedGeneration") == each["metadata"]["generation"]
                and each["status"].get("currentRevision") == each["status"].get("updateRevision")
                for each in sets
            )

        until(rolled_out, seconds, every=1)
        until(healthy, seconds, every=1)
        self.close()
        until(lambda: set(self.ask(Airflow.health).values()) == {"healthy"}, seconds, every=1)
        until(lambda: self.ask(Airflow.has_dag), seconds, every=1)

    def secret(self, name: str, key: str) -> str:
        """Content of a Secret."""
        data = json.loads(self.namespace.kubectl("get", "secret", name, "-o", "json"))["data"]
        return base64.b64decode(data[key]).decode()

    @property
    def password(self) -> str:
        """Password of the UI's user `admin`."""
        found: str = json.loads(self.secret("meanface-airflow", "passwords.json"))["admin"]
        return found

    @contextmanager
    def airflow(self) -> Iterator[Airflow]:
        """Airflow's REST API, logged in."""
        self._ui = self._ui or self.namespace.forward("service/meanface-airflow", 8080)
        with Airflow(f"http://127.0.0.1:{self._ui.port}", self.password) as client:
            client.log_in()
            yield client

    def ask(self, question: Callable[[Airflow], Answer], seconds: float = 180) -> Answer:
        """Call Airflow's API, again while it is unavailable; the result."""
        answers: list[Answer] = []

        def asked() -> bool:
            try:
                with self.airflow() as client:
                    answers.append(question(client))
            except (httpx.TransportError, KubectlError):
                self.close()
                return False
            except ApiError as error:
                if error.status < 500:
                    raise
                return False
            return True

        until(asked, seconds, every=0.5)
        return answers[0]

    def redis(self) -> Redis:
        """A client of the chart's Redis with the stages' user."""
        self._redis = self._redis or self.namespace.forward("service/meanface-redis", 6379)
        inside = self.secret("meanface-redis", "url")
        user = inside.partition("://")[2].rpartition("@")[0]
        return Redis.from_url(f"redis://{user}@127.0.0.1:{self._redis.port}/0", socket_timeout=10)

    def trigger(self, **conf: Any) -> str:
        """Start a run; its name."""
        return self.ask(lambda airflow: airflow.trigger(conf))

    def trigger_anew(self, dataset: str, partition_size: int) -> str:
        """Start a run that reuses no other run's work; its name."""
        return self.trigger(dataset=dataset, partition_size=partition_size, max_bytes=next(MAX_BYTES))

    def backfill(self, first: str, last: str, conf: dict[str, Any], *more: str) -> None:
        """Create a backfill with Airflow's command in its pod.

        A DAG has one backfill at a time, and Airflow takes up to half a minute to notice that it
        has ended.
        """

        def over() -> bool:
            found = self.ask(lambda airflow: airflow.get("/api/v2/backfills?dag_id=meanface"))["backfills"]
            return all(each["completed_at"] for each in found)

        until(over, 300, every=2)
        command = ["airflow", "backfill", "create", "--dag-id", "meanface", "--from-date", first, "--to-date", last]
        self.namespace.run(MASTER, "scheduler", *command, "--dag-run-conf", json.dumps(conf), *more, seconds=300)

    def backfilled(self, days: Sequence[str]) -> dict[str, str]:
        """States of the days' runs that exist, by name."""
        runs = self.ask(lambda airflow: airflow.runs("backfill"))
        ends = [(date.fromisoformat(day) + timedelta(days=1)).isoformat() for day in days]  # they name the runs
        return {name: state for name, state in runs.items() if name[len("backfill__") :][:10] in ends}

    def finished_days(self, days: Sequence[str], seconds: float = 900) -> dict[str, str]:
        """Wait until all days' runs have ended; their states."""

        def ended() -> dict[str, str] | None:
            runs = self.backfilled(days)
            return runs if len(runs) == len(days) and set(runs.values()) <= {"success", "failed"} else None

        return until(ended, seconds, every=2) or {}

    def finished(self, run: str, seconds: float = 900) -> str:
        """Wait until a run has ended; its state."""
        ended = {"success", "failed"}
        return until(lambda: (s := self.ask(lambda a: a.state(run))) in ended and s, seconds, every=2)

    def succeeded(self, run: str, seconds: float = 900) -> list[float]:
        """Wait until a run has succeeded; the mean in its XCom."""
        state = self.finished(run, seconds)
        assert state == "success", self.failures(run)
        mean: list[float] = self.ask(lambda airflow: airflow.xcom(run, "publish", "mean_vector"))
        return mean

    def summary(self, run: str) -> dict[str, Any]:
        """The summary in a run's XCom."""
        summary: dict[str, Any] = self.ask(lambda airflow: airflow.xcom(run, "publish", "return_value"))
        return summary

    def failures(self, run: str) -> dict[str, list[str]]:
        """The last log lines of failed tasks."""

        def lines(airflow: Airflow) -> dict[str, list[str]]:
            failed = [task for task in airflow.tasks(run) if task["state"] in ("failed", "up_for_retry")]
            return {f"{t['task_id']}[{t['map_index']}]": airflow.log(run, t)[-15:] for t in failed}

        return self.ask(lines)

    def stage_pods(self, run: str, component: str = "embed") -> dict[str, int]:
        """Partitions of a run's pods of one stage, by the pods' names; -1 for a stage without
        partitions.
        """
        pods = self.namespace.objects("pods", instance=NAME, component=component)
        of_run = [pod for pod in pods if f"--run={run}" in pod["spec"]["containers"][0]["args"]]
        return {pod["metadata"]["name"]: int(pod["metadata"]["labels"].get("meanface/partition", -1)) for pod in of_run}

    def embedding_image(self) -> str:
        """The embedding image of the release's settings."""
        config = json.loads(self.namespace.kubectl("get", "configmap", NAME, "-o", "json"))
        return str(config["data"]["MEANFACE_IMAGE"])

    def images(self, run: str) -> dict[str, set[str]]:
        """Images of a run's stages, as Airflow has rendered them."""
        found: dict[str, set[str]] = {}
        for task in self.ask(lambda airflow: airflow.tasks(run)):
            if image := task["rendered_fields"].get("image"):
                found.setdefault(task["task_id"], set()).add(image)
        return found

    def tries(self, run: str, task: str) -> dict[int, int]:
        """Number of attempts of each instance of a mapped task."""
        tasks = self.ask(lambda airflow: airflow.tasks(run))
        return {each["map_index"]: each["try_number"] for each in tasks if each["task_id"] == task}
