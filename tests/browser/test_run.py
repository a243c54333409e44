"""A person's way through a whole Airflow: log in, trigger the DAG, watch it, read the result."""

import json
import math
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium.webdriver.common.keys import Keys

from polling import until

SAMPLE = Path(__file__).parents[2] / "embedding_image/src/meanface/dataset/sample/photos"
COPIES = 15
PARTITION = 30
HOSTILE = '<img src=x onerror="window.hit=1">.jpg'


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The sample's photos many times over, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for photo in sorted(path for path in SAMPLE.rglob("*.*") if path.is_file()):
        for copy in range(COPIES):
            (folder / f"{copy:02}-{photo.name}").write_bytes(photo.read_bytes())
    (folder / HOSTILE).write_bytes(b"no image")
    return folder


def log_in(browser, airflow):
    browser.open(airflow.address)
    browser.one("input[name=username]").send_keys("admin")
    browser.one("input[name=password]").send_keys(airflow.home.secrets["ui_password"])
    browser.one("button[type=submit]").click()
    until(lambda: "/login" not in browser.driver.current_url)


def fill(browser, selector, value):
    field = browser.one(selector)
    browser.script("arguments[0].scrollIntoView({block: 'center'})", field)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(value), Keys.TAB)


def trigger(browser, airflow, dataset):
    """Fill in the DAG's form and send it; the run's name."""
    browser.open(f"{airflow.address}/dags/meanface")
    browser.one("[data-testid=trigger-dag-button]").click()
    fill(browser, "[name=element_dataset]", dataset)
    limits = browser.one("[id$='trigger:Limits']")
    browser.script("arguments[0].scrollIntoView({block: 'center'})", limits)
    limits.click()
    fill(browser, "[name=element_partition_size]", PARTITION)
    browser.shot("trigger-form")
    button = browser.one("[data-testid=trigger-dag-submit]")
    browser.script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    with airflow.client() as client:
        client.log_in()
        return next(iter(until(lambda: client.runs("manual"))))


@pytest.mark.timeout(600)
def test_from_login_to_vector(browser, airflow, dataset):
    photos = len(list(dataset.iterdir()))
    log_in(browser, airflow)
    run = trigger(browser, airflow, dataset)
    here = f"{airflow.address}/dags/meanface/runs/{quote(run)}"
    tab = f"{here}/plugin/meanface-run"

    watch(browser, tab, photos)
    result = json.loads((airflow.home.storage / "runs" / run / "result.json").read_text())
    numbers(browser, result, photos)
    looks(browser, airflow, run, tab)
    report(browser, tab, dataset)
    failures(browser, tab)

    browser.open(f"{here}/tasks/publish/details")
    assert until(lambda: browser.all("a[href$='/plugin/meanface-run']"))
    browser.shot("task-link")
    browser.open(f"{here}/tasks/publish/xcom")
    browser.one("[data-testid=expand-all-button]").click()
    until(lambda: "mean_vector" in browser.text("body"))
    for value in result["mean"][:5]:
        until(lambda value=value: str(value) in browser.text("body"))
    browser.shot("xcom")
    assert browser.complaints() == []

    browser.open(airflow.address)
    browser.one("[aria-label=Browse]").click()
    browser.one("a[href$='plugin/meanface']").click()
    browser.frame()
    row = until(lambda: browser.text("#rows tr"))
    assert run in row
    assert f"{photos} of {photos} · 100 %" in row
    browser.shot("all-runs")


def watch(browser, tab, photos):
    """The tab of the run, from its plan to its end, without a reload."""
    browser.open(tab)
    browser.frame()
    browser.script("window.same = true")
    seen, states = [], set()

    def over():
        done = browser.text("#figures dd")
        if done and (not seen or seen[-1] != done):
            seen.append(done)
            if len(seen) == 4:
                browser.shot("run-moving")
        states.update(one.get_attribute("data-state") for one in browser.all("#cells button"))
        return browser.all("#stages li:last-child[data-state=success]") and browser.all("#result:not([hidden])")

    until(over, seconds=400, every=0.2)
    done = [int(text.replace(",", "")) for text in seen]
    assert done == sorted(done)
    assert done[-1] == photos
    assert len([one for one in done if 0 < one < photos]) >= 3, done
    assert {"waiting", "embedding", "committed"} <= states
    assert browser.script("return window.same")


def numbers(browser, result, photos):
    """What the page shows is what result.json says."""
    shown = browser.text("main")
    assert f"{result['faces']} in {result['photos_with_face']} of {photos} photos" in shown
    assert str(math.hypot(*result["mean"])) in shown
    assert result["fingerprint"] in shown
    assert [one.text for one in browser.all(".numbers .value")[:8]] == [f"{value:.6f}" for value in result["mean"][:8]]
    outcomes = {name: count for name, count in result["outcomes"].items() if count}
    assert [one.text for one in browser.all("#outcome-list b")] == [str(count) for count in outcomes.values()]
    assert len(browser.all("#cells button[data-state=committed]")) == math.ceil(photos / PARTITION)


def looks(browser, airflow, run, tab):
    """Pictures of the finished run: light and dark, in Airflow's tab and alone on a phone."""
    alone = f"{airflow.address}/meanface/run?run={quote(run)}"
    for theme in ("light", "dark"):
        browser.driver.switch_to.default_content()
        browser.theme(theme)
        browser.resize(1280, 1900)
        browser.open(tab)
        browser.frame()
        browser.one("#result")
        browser.shot(f"run-{theme}")
        browser.resize(390, 2600)
        browser.open(alone)
        browser.one("#result")
        assert browser.script("return document.documentElement.scrollWidth") <= 390
        browser.shot(f"run-{theme}-phone")
    browser.resize(1280, 1000)


def report(browser, tab, dataset):
    """The report, in a window of its own."""
    browser.open(tab)
    browser.frame()
    browser.one("#result .links a").click()
    until(lambda: len(browser.driver.window_handles) == 2)
    browser.driver.switch_to.window(browser.driver.window_handles[1])
    assert browser.one("h1").text == f"Mean face of {dataset}"
    browser.driver.close()
    browser.driver.switch_to.window(browser.driver.window_handles[0])


def failures(browser, tab):
    """A failed photo's name, and the log of its partition in Airflow."""
    partition = COPIES * 7 // PARTITION  # its name sorts last
    browser.open(tab)
    browser.frame()
    browser.one("#result")  # it comes last, and moves what is below it
    row = until(lambda: browser.all("#failure-rows tr"))[0]
    assert row.text.startswith(HOSTILE)
    assert browser.script("return window.hit === undefined")
    browser.follow(
        lambda: next(iter(browser.all("#failure-rows a")), None),
        lambda here: f"/tasks/embed/mapped/{partition}" in here,
    )
    until(lambda: "committed" in browser.text("body"))
    browser.shot("task-log")
