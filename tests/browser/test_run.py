"""A user's way through a complete Airflow: log in, trigger the DAG, watch it, read the result."""

import base64
import json
import math
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium.webdriver.common.keys import Keys

from polling import until

SAMPLE = Path(__file__).parents[2] / "embedding_image/src/meanface/dataset/sample/photos"
COPIES = 25
PARTITION = 40
HOSTILE = '<img src=x onerror="window.hit=1">.jpg'


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Many copies of the sample's photos, and one file that is not an image."""
    folder = tmp_path_factory.mktemp("photos")
    for photo in sorted(path for path in SAMPLE.rglob("*.*") if path.is_file()):
        for copy in range(COPIES):
            (folder / f"{copy:02}-{photo.name}").write_bytes(photo.read_bytes())
    (folder / HOSTILE).write_bytes(b"no image")
    return folder


def fill(browser, selector, value):
    field = browser.one(selector)
    browser.script("arguments[0].scrollIntoView({block: 'center'})", field)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(str(value), Keys.TAB)


def trigger(browser, airflow, dataset):
    """Fill in the trigger form and submit it; the run's name."""

    def steps():
        if runs():  # the form arrived, but its response was lost
            return
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
        until(runs, seconds=30)

    with airflow.client() as client:
        client.log_in()

        def runs():
            return client.runs("manual")

        browser.steadily(steps)
        (run,) = runs()
        return run


@pytest.mark.timeout(600)
def test_from_login_to_vector(person, airflow, dataset):
    browser, photos = person, len(list(dataset.iterdir()))
    run = trigger(browser, airflow, dataset)
    here = f"{airflow.address}/dags/meanface/runs/{quote(run)}"
    tab = f"{here}/plugin/meanface-run"

    watch(browser, tab, photos)
    folder = airflow.home.storage / "runs" / run
    result = json.loads((folder / "result.json").read_text())
    numbers(browser, result, photos)
    looks(browser, airflow, run, tab)
    report(browser, tab, folder, result)
    failures(browser, tab, result)

    def vector():
        browser.open(f"{here}/tasks/publish/xcom")
        browser.one("[data-testid=expand-all-button]").click()
        until(lambda: "mean_vector" in browser.text("body"))
        for value in result["mean"][:12]:  # the lines that Airflow's viewer shows without scrolling
            until(lambda value=value: str(value) in browser.text("body"))

    browser.steadily(vector)
    browser.shot("xcom")
    browser.steadily(lambda: browser.open(f"{here}/tasks/publish/details") or browser.one("a[href$='/meanface-run']"))
    browser.shot("task-link")

    def all_runs():
        browser.open(airflow.address)
        browser.one("[aria-label=Browse]").click()
        browser.one("a[href$='plugin/meanface']").click()
        browser.frame()
        return browser.one("#rows tr").text

    row = browser.steadily(all_runs)
    assert run in row
    assert f"{photos} of {photos} · 100 %" in row
    browser.shot("all-runs")
    assert browser.complaints() == []


def watch(browser, tab, photos):
    """Watch the run's tab from its plan to its end, without a reload."""
    browser.framed(tab)
    browser.script("window.same = true")
    seen, states = [], set()

    def over():
        done = browser.text("#figures dd")
        if done and (not seen or seen[-1] != done):
            seen.append(done)
            if len(seen) == 4:
                browser.shot("run-moving")
        states.update(browser.each("#cells button", "dataset.state"))
        return browser.all("#stages li:last-child[data-state=success]") and browser.all("#result:not([hidden])")

    until(over, seconds=400, every=0.2)
    done = [int(text.replace(",", "")) for text in seen]
    assert done == sorted(done)
    assert done[-1] == photos
    assert len([one for one in done if 0 < one < photos]) >= 3, done
    assert {"waiting", "embedding", "committed"} <= states
    assert browser.script("return window.same")


def numbers(browser, result, photos):
    """The page shows what result.json contains."""
    text = browser.text("main")
    assert f"{result['faces']} in {result['photos_with_face']} of {photos} photos" in text
    norm = math.hypot(*result["mean"])
    assert browser.one(f"#result [title='{norm}']").text == f"{norm:.6f}"
    assert browser.one(f"#result [title='{result['fingerprint']}']").text == result["fingerprint"][:12]
    assert drawn(browser, "#result .face")
    values = [f"{value:.6f}" for value in result["mean"]]
    assert browser.each(".numbers .value", "textContent") == values[:8] + values
    outcomes = {name: count for name, count in result["outcomes"].items() if count}
    assert browser.each("#outcome-list b") == [str(count) for count in outcomes.values()]
    assert len(browser.all("#cells button[data-state=committed]")) == result["partitions"]["total"]


def looks(browser, airflow, run, tab):
    """Screenshots of the finished run: light and dark, in Airflow's tab and alone on a phone."""
    alone = f"{airflow.address}/meanface/run?run={quote(run)}"
    for theme in ("light", "dark"):
        browser.driver.switch_to.default_content()
        browser.theme(theme)
        browser.resize(1280, 1900)
        browser.framed(tab, "#result")
        browser.shot(f"run-{theme}")
        browser.resize(390, 2600)
        browser.steadily(lambda: browser.open(alone) or browser.one("#result"))
        assert browser.script("return document.documentElement.scrollWidth") <= 390
        browser.shot(f"run-{theme}-phone")
    browser.resize(1280, 1000)


def drawn(browser, selector):
    """Whether an image is loaded and displayed."""
    picture = browser.one(selector)
    until(lambda: picture.get_property("complete"))
    return picture.get_property("naturalWidth") == 150 and picture.get_property("clientWidth") >= 150


def report(browser, tab, folder, result):
    """Open the report from the page and download a file from it; then open it from disk."""
    browser.framed(tab, "#result").find_element("css selector", ".links .button").click()
    first, other = until(lambda: len(browser.driver.window_handles) == 2 and browser.driver.window_handles)
    browser.driver.switch_to.window(other)
    assert "/meanface/files/" in until(lambda: browser.driver.current_url)
    check_report(browser, folder, result)
    for theme in ("light", "dark"):
        browser.system(theme)
        for width, kind in ((1280, ""), (390, "-phone")):
            browser.resize(width, 1000)
            assert browser.script("return document.documentElement.scrollWidth") <= width
            browser.shot_of_all(f"report-{theme}{kind}")
    browser.resize(1280, 1000)
    companion = browser.one("a[href='failures.csv']")
    browser.script("arguments[0].scrollIntoView({block: 'center'})", companion)
    companion.click()
    saved = browser.saved / "failures.csv"
    until(saved.exists)
    assert saved.read_bytes() == (folder / "failures.csv").read_bytes()
    assert HOSTILE in saved.read_text().replace('""', '"')
    assert browser.complaints() == []
    browser.driver.close()
    browser.driver.switch_to.window(first)

    browser.open((folder / "report.html").as_uri())
    check_report(browser, folder, result)
    beside = browser.one("a[href='failures.csv']").get_property("href")
    assert beside == (folder / "failures.csv").as_uri()
    assert browser.complaints() == []


def check_report(browser, folder, result):
    """The report shows what result.json contains."""
    assert browser.one("h1").text == f"Mean face of {result['dataset']}"
    tiles = zip(browser.all(".tiles dt"), browser.all(".tiles dd"), strict=True)
    assert {name.text: value.text for name, value in tiles} == {
        "photos": f"{result['photos']:,}",
        "with a face": f"{result['photos_with_face']:,}",
        "faces": f"{result['faces']:,}",
        "failed": f"{result['outcomes']['undecodable']:,}",
    }
    rows = browser.all("[aria-label='What became of the photos'] tbody tr")
    cells = [[row.find_element("css selector", name).text for name in ("th", "td")] for row in rows]
    assert dict(cells) == {name: f"{count:,}" for name, count in result["outcomes"].items() if count}
    assert browser.text("header code") == result["fingerprint"][:12]
    assert f"The norm of the mean is {math.hypot(*result['mean']):.6f}." in browser.text("#mean")
    browser.one("#mean summary").click()
    components = browser.script(
        "return [...document.querySelectorAll('[aria-label=\"Components of the mean\"] tbody tr')]"
        ".map((row) => [row.cells[1].innerText, row.cells[2].innerText])"
    )
    pairs = zip(result["mean"], result["standard_error"], strict=True)
    assert components == [[f"{value:.8f}", f"{error:.8f}"] for value, error in pairs]
    browser.one("#mean summary").click()
    assert drawn(browser, ".hero img")
    picture = browser.one(".hero img").get_property("src").removeprefix("data:image/png;base64,")
    assert base64.b64decode(picture) == (folder / "mean_face.png").read_bytes()
    assert HOSTILE in browser.text("#failures")
    assert browser.script("return window.hit === undefined")


def failures(browser, tab, result):
    """Check a failed photo's name, and the link to its partition's log in Airflow."""
    partition = result["partitions"]["total"] - 1  # its name sorts last
    browser.framed(tab, "#result")  # the result comes last and moves what is below it
    row = until(lambda: browser.all("#failure-rows tr"))[0]
    assert row.text.startswith(HOSTILE)
    assert browser.script("return window.hit === undefined")
    browser.follow(
        lambda: next(iter(browser.all("#failure-rows a")), None),
        lambda here: f"/tasks/embed/mapped/{partition}" in here,
    )
    until(lambda: "committed" in browser.text("body"))
    browser.shot("task-log")
