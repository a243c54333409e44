"""The page in a browser, behind a path prefix, with runs that the tests create."""

import sys
import time
from urllib.parse import quote

import pytest
from selenium.webdriver.support.select import Select

from page_airflow import RUN, Records, address
from polling import until

HOSTILE = 'people/<img src=x onerror="window.hit=1">/<script>window.hit=1</script>&amp;\u202egpj.exe'
ESCAPED = HOSTILE.replace("\u202e", "\\u202e")
HUGE = "people/" + "very_long_name_" * 5000 + ".jpg"


def counts(viewer, selector):
    return [" ".join(text.split()) for text in viewer.each(selector)]


def test_a_hostile_name_is_text(viewer, server, airflow_run, records):
    airflow_run(plan="success", embed=[("success", 1)])
    records.plan(1, source={"url": HOSTILE})
    records.progress(
        0, state="committed", outcomes={"ok": 497, "undecodable": 2, HOSTILE: 1}, host=HOSTILE, message=HOSTILE
    )
    records.commit(0)
    records.failures(0, [[HOSTILE, "undecodable", HOSTILE], [HUGE, HOSTILE, ""]], more=1)
    viewer.open(address(server))
    rows = until(lambda: viewer.all("#failure-rows tr"))
    assert rows[0].text.startswith(ESCAPED)
    assert len(rows[1].find_elements("css selector", "th")[0].text) == 200
    assert viewer.text("#dataset") == ESCAPED
    viewer.one("#as-table").click()
    assert ESCAPED in viewer.one("#partition-rows tr").text
    assert viewer.script("return [window.hit ?? 0, document.querySelectorAll('main img, main script').length]") == [
        0,
        0,
    ]
    for width in (1280, 390):
        viewer.resize(width, 1000)
        assert viewer.script("return document.documentElement.scrollWidth") <= width
    viewer.shot("hostile-names-phone")
    assert viewer.complaints() == []


WATCH = """
  window.opened = null;
  window.updates = [];
  const painted = (then) => requestAnimationFrame(() => setTimeout(() => then(performance.now())));
  const asked = () => performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/run?")).at(-1);
  let shown = "";
  new MutationObserver(() => {
    const cells = document.querySelectorAll("#cells button").length;
    const rows = document.querySelectorAll("#failure-rows tr").length;
    const figure = document.querySelector("#figures dd")?.textContent ?? "";
    if (window.opened === null && cells && rows) painted((now) => { window.opened ??= [now, cells, rows]; });
    if (shown && figure !== shown) {
      const began = asked().startTime;
      painted((now) => window.updates.push(now - began));
    }
    shown = figure;
  }).observe(document, { subtree: true, childList: true, characterData: true });
"""
"""Records when the page was painted completely, and the time of updates from request to paint."""


ASKED = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/')).length"


@pytest.fixture
def a_thousand(airflow_run, records, client):
    """A run of 1,024 partitions, about two thirds done, with 50,176 failed photos."""
    tasks = [("success", 1)] * 700 + [("running", 1)] * 60 + [("failed", 5)] * 2 + [("queued", 0)] * 262
    airflow_run(plan="success", list_partitions="success", embed=tasks)
    records.plan(1024)
    now = time.time()
    with client.pipeline() as pipeline:
        many = type(records)(pipeline)
        for index in range(1024):
            done = index < 700
            began = now - 700 + index * 0.6
            ended = began + 25 if done else now
            outcomes = {"ok": 405, "no_face": 46, "undecodable": 49} if done else {"ok": 151, "undecodable": 49}
            name = f"photos/{index}/" + "n" * 40
            many.failures(index, [[f"{name}{photo}.jpg", "undecodable", "no image"] for photo in range(49)])
            many.progress(
                index,
                state="committed" if done else "embedding",
                photos_done=sum(outcomes.values()),
                outcomes=outcomes,
                photos_per_second=round(sum(outcomes.values()) / (ended - began), 2),
                started_at=began,
                updated_at=ended,
            )
            if done:
                many.commit(index)
        pipeline.execute()


def test_a_thousand_partitions(viewer, server, a_thousand):
    viewer.open(address(server))
    cells = until(lambda: viewer.all("#cells button"))
    assert len(cells) == 1024
    assert counts(viewer, "#states button") == ["700 done", "60 embedding", "262 waiting to retry", "2 failed"]
    for listed in range(100, 1000, 100):
        until(lambda listed=listed: viewer.text("#failures-note") == f"{listed} of 50,176 failed photos listed.")
        viewer.one("#more-failures").click()
    until(lambda: viewer.text("#failures-note") == "980 of 50,176 failed photos listed.")
    assert viewer.text("#more-failures") == "Show more, from 1,004 partitions"
    viewer.one("#more-failures").click()
    until(lambda: viewer.text("#failures-note") == "1,080 of 50,176 failed photos listed.")
    for theme in ("light", "dark"):
        viewer.theme(theme)
        viewer.open(address(server))
        until(lambda: viewer.all("#failure-rows tr"))
        viewer.resize(1280, 1700)
        viewer.shot(f"thousand-{theme}")
        viewer.resize(390, 1700)
        assert viewer.script("return document.documentElement.scrollWidth") <= 390
        viewer.shot(f"thousand-{theme}-phone")
    assert viewer.complaints() == []


def test_a_thousand_partitions_within_a_second(viewer, server, a_thousand, records, client, capsys):
    """The best of five counts, because other work on the machine only makes a page slower."""
    viewer.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    opened, updates = [], []
    for turn in range(5):
        before = client.info("stats")["total_reads_processed"]
        viewer.open(address(server))
        took, cells, rows = until(lambda: viewer.script("return window.opened"))
        asked = viewer.script(ASKED)
        reads = client.info("stats")["total_reads_processed"] - before
        assert turn == 0 or reads <= asked + 2  # one command each; this test's own, and one that began since
        assert (cells, rows) == (1024, 100)
        opened.append(took)
        for done in (300 + turn, 350 + turn):
            records.progress(700, photos_done=done, outcomes={"ok": done})
            updates += until(lambda: viewer.script("return window.updates.splice(0)"))
    with capsys.disabled():  # docs/architecture.md quotes these
        times = [list(map(round, found)) for found in (opened, updates)]
        sys.stdout.write("\n1,024 partitions, 50,176 failures: opens in {} ms, updates in {} ms ".format(*times))
    assert min(opened) < 1000
    assert min(updates) < 1000


def test_the_grid_by_keyboard(viewer, server, airflow_run, records):
    airflow_run(embed=[("running", 1)] * 40)
    records.plan(40)
    records.progress(1, outcomes={"ok": 90, "crashed": 10})
    viewer.open(address(server))
    first = until(lambda: viewer.all("#cells button"))[0]
    assert len(viewer.all("#cells button[tabindex='0']")) == 1
    first.send_keys("\ue014")  # arrow to the right
    here = viewer.driver.switch_to.active_element
    until(
        lambda: (
            here.get_attribute("aria-label")
            == ("Partition 1: embedding, 100 of 500 photos, 10.0 photos per second, attempt 1, on embed-1")
        )
    )
    assert viewer.text("#details strong") == "Partition 1"
    assert (
        viewer.one("#details a")
        .get_attribute("href")
        .endswith(f"/dags/meanface/runs/{quote(RUN)}/tasks/embed/mapped/1")
    )
    here.send_keys("\ue010")  # end
    assert viewer.text("#details strong") == "Partition 39"
    assert len(viewer.all("#cells button[tabindex='0']")) == 1
    for held in ("altKey", "ctrlKey", "metaKey"):  # shortcuts of the browser, such as one page back
        event = f"new KeyboardEvent('keydown', {{ key: 'ArrowLeft', {held}: true, bubbles: true, cancelable: true }})"
        assert viewer.script(f"return document.activeElement.dispatchEvent({event})")
        assert viewer.text("#details strong") == "Partition 39"


def test_a_filter_leaves_the_partitions_of_one_state(viewer, server, airflow_run, records):
    airflow_run(embed=[("running", 1), ("failed", 5), ("queued", 0)])
    records.plan(3)
    viewer.open(address(server))
    viewer.one("#as-table").click()
    until(lambda: len(counts(viewer, "#partition-rows tr")) == 3)
    viewer.one("#states button:has([data-state=failed])").click()
    until(lambda: len(counts(viewer, "#partition-rows tr")) == 1)
    assert viewer.one("#partition-rows th").text == "1"


def test_it_updates_without_a_reload(viewer, server, airflow_run, records):
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    viewer.open(address(server))
    viewer.script("window.same = true")
    for done in (100, 300):
        records.progress(0, photos_done=done)
        until(lambda done=done: viewer.text("#figures dd") == str(done))
    assert viewer.text("#spoken") != ""
    assert viewer.script("return window.same")


def test_an_outage_of_redis_is_reported_and_the_numbers_stay(viewer, server, airflow_run, records, redis, monkeypatch):
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    records.progress(0)
    viewer.open(address(server))
    until(lambda: viewer.text("#figures dd") == "100")
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", "redis://127.0.0.1:1/0")
    from meanface_airflow.page import app

    app.source._disconnect("Redis cannot be reached.")
    assert "Redis cannot be reached." in viewer.one("#notice").text
    assert viewer.text("#live").startswith("As of ")
    assert viewer.text("#figures dd") == "100"
    viewer.shot("redis-away")
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", redis.connection_url)
    until(lambda: viewer.text("#live").startswith("Live"))
    assert not viewer.all("#notice")[0].is_displayed()


def test_a_lost_login_is_reported_and_a_new_one_continues(viewer, server, airflow_run, records, token):
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    viewer.open(address(server))
    until(lambda: viewer.text("#live").startswith("Live"))
    viewer.driver.delete_all_cookies()
    assert "no longer logged in" in viewer.one("#notice").text
    viewer.driver.add_cookie({"name": "_token", "value": token(), "path": "/flow/"})
    until(lambda: viewer.text("#live").startswith("Live"))


def test_an_expired_run_is_reported(viewer, server, airflow_run):
    airflow_run(state="success", plan="success", reduce="success")
    viewer.open(address(server))
    assert "Redis has no records of this run any more" in viewer.one("#notice").text
    viewer.open(f"{server}/meanface/")
    assert "no records in Redis" in viewer.one("#rows tr").text


def test_a_run_that_ended_before_its_plan_is_reported(viewer, server, airflow_run):
    airflow_run(state="failed", plan="skipped")
    viewer.open(address(server))
    assert "This run ended before its photos were listed" in viewer.one("#notice").text


def test_an_unreadable_plan_is_reported(viewer, server, airflow_run, records, client):
    airflow_run(plan="success")
    client.set(records.key("manifest"), '{"schema": 2}')
    viewer.open(address(server))
    assert "This page cannot read the run's plan" in viewer.one("#notice").text
    viewer.open(f"{server}/meanface/")
    assert "another version, or damaged" in viewer.one("#rows tr").text


def test_airflow_frames_it_behind_a_prefix(viewer, server, airflow_run, records):
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    records.progress(0)
    viewer.open(f"{server}/plugin/meanface")
    viewer.frame()
    viewer.one("#rows a").click()
    until(lambda: viewer.text("#figures dd") == "100")
    viewer.driver.switch_to.default_content()
    until(lambda: viewer.driver.current_url.startswith(f"{server}/plugin/meanface/flow/meanface/run?dag=meanface&run="))
    viewer.driver.refresh()
    viewer.frame()
    assert until(lambda: viewer.text("#figures dd")) == "100"
    log = f"{server}/dags/meanface/runs/{RUN}/tasks/embed/mapped/0"
    viewer.follow(lambda: viewer.one("#details a"), lambda here: here == log)


def test_a_reader_chooses_one_of_several_dags(viewer, server, airflow_run, records, client, family):
    airflow_run()
    airflow_run(dag=family, state="success", plan="success", reduce="success")
    of_family = Records(client, f"{family}@{RUN}")
    of_family.plan(1)
    of_family.result(faces=777)
    viewer.open(f"{server}/meanface/")
    until(lambda: viewer.script("return document.querySelector('#dag').textContent") == f"meanface{family}")
    Select(viewer.one("#dag")).select_by_value(family)
    until(lambda: viewer.driver.current_url.endswith("?dag=family"))
    until(lambda: "success" in viewer.text("#rows"))
    viewer.one("#rows a").click()
    until(lambda: "777" in viewer.text("#result"))
    viewer.one("#all").click()
    until(lambda: viewer.driver.current_url.endswith("?dag=family"))


def test_the_theme_follows_airflows_switch(viewer, server, airflow_run, records):
    airflow_run()
    viewer.open(f"{server}/plugin/meanface")
    for theme in ("dark", "light"):
        viewer.driver.switch_to.default_content()
        viewer.theme(theme)
        viewer.frame()
        until(lambda theme=theme: viewer.script("return document.documentElement.dataset.theme") == theme)


def test_a_page_reloads_itself_if_a_script_fails_to_load(viewer, server, airflow_run, records):
    from meanface_airflow.page.assets import ASSETS

    airflow_run(embed=[("running", 1)])
    records.plan(1)
    records.progress(0)
    part = ASSETS.pop("format.js")
    viewer.open(address(server))
    assert viewer.text("#live") == "Loading"
    ASSETS["format.js"] = part
    until(lambda: viewer.text("#figures dd") == "100")


@pytest.mark.parametrize("query", ["?run=none", "", "?dag=other&run=none"])
def test_an_unknown_run_is_reported(viewer, server, airflow_run, query):
    viewer.open(f"{server}/meanface/run{query}")
    assert viewer.one("#notice").text
