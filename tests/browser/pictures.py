"""Make the README's pictures: of the page with the built-in sample, and of the report of DATASET.

The report's picture ends above the first face of a single photo: the README shows only the mean of
other people's photos.
"""

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from polling import until

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 1280
STILL = """
const dialog = document.querySelector("[role=dialog]");
return dialog.getAnimations({subtree: true}).every(one => one.playState !== "running");
"""
"""JavaScript: whether the trigger form has come to rest"""


def test_page(person, airflow):
    with airflow.client() as client:
        client.log_in()
        run = client.trigger({"dataset": "sample", "partition_size": 4})
        until(lambda: client.state(run) == "success", seconds=200, every=0.5)
    here = quote(run)
    for theme in ("light", "dark"):
        person.theme(theme)
        person.resize(WIDTH, 1150)
        face = person.framed(f"{airflow.address}/dags/meanface/runs/{here}/plugin/meanface-run", "#result .face")
        until(lambda face=face: face.get_property("naturalWidth"))
        person.driver.save_screenshot(PICTURES / f"page-{theme}.png")
        person.open(airflow.address)


def test_report(browser, tmp_path):
    dataset = Path(os.environ.get("DATASET", ""))
    if not dataset.name:
        pytest.skip("no DATASET: the report's pictures stay as they are")
    command = [ROOT / ".venvs/meanface/bin/meanface", "run", dataset.name, "--labels", "parent_folder"]
    subprocess.run([*command, "--output", tmp_path], cwd=dataset.parent, check=True)
    for theme in ("light", "dark"):
        browser.system(theme)
        browser.resize(WIDTH, 1000)
        browser.open((tmp_path / "report.html").as_uri())
        end, first = browser.script(
            "return ['#variance h3', '#faces'].map(place => document.querySelector(place).getBoundingClientRect().top);"
        )
        assert end < first
        browser.resize(WIDTH, int(end))
        browser.driver.save_screenshot(PICTURES / f"report-{theme}.png")


@pytest.mark.timeout(900)
def test_walkthrough(person, airflow):
    """The three ways of docs/walkthrough.md in the UI."""
    person.theme("light")
    person.resize(WIDTH, 800)
    dag = f"{airflow.address}/dags/meanface"
    with airflow.client() as client:
        client.log_in()
        before = set(client.runs("manual"))
        person.open(dag)
        person.one("[data-testid=trigger-dag-button]").click()
        person.one("[name=element_dataset]")
        until(lambda: person.script(STILL))
        person.driver.save_screenshot(PICTURES / "walkthrough-trigger.png")
        button = person.one("[data-testid=trigger-dag-submit]")
        person.script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        (run,) = until(lambda: set(client.runs("manual")) - before)
        days = ("--from-date", "2026-01-01", "--to-date", "2026-01-03")
        conf = ("--dag-run-conf", '{"dataset": "sample", "series": "january"}')
        command = [ROOT / "scripts/bin/airflow", "backfill", "create", "--dag-id", "meanface", *days, *conf]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        subprocess.run(command, env=environment | {"MEANFACE_HOME": str(airflow.home.path)}, check=True)
        for kind, number in (("manual", 1), ("backfill", 3)):
            until(lambda kind=kind, number=number: done(client, kind, number), seconds=400, every=1)
        mean = client.xcom(run, "publish", "mean_vector")
    person.open(f"{dag}/runs")
    until(lambda: len(person.all("tbody tr")) >= 4)
    person.driver.save_screenshot(PICTURES / "walkthrough-backfill.png")
    person.open(f"{dag}/runs/{quote(run)}/tasks/publish/xcom")
    person.one("[data-testid=expand-all-button]").click()
    until(lambda: str(mean[0]) in person.text("tbody"))
    person.driver.save_screenshot(PICTURES / "walkthrough-xcom.png")


def done(client, kind, number):
    return list(client.runs(kind).values()).count("success") >= number
