"""The throughput chart: the values of its two lines, and that they are drawn."""

import time

import pytest

from page_airflow import address
from polling import until

CALL = """
  const [name, argument, done] = arguments;
  import(new URL("static/throughput.js", document.baseURI)).then((module) => done(module[name](argument)));
"""


@pytest.fixture
def call(viewer, server, airflow_run):
    """Calls a function of the chart's module."""
    airflow_run()
    viewer.open(address(server))
    return lambda name, argument: viewer.driver.execute_async_script(CALL, name, argument)


def test_the_estimate_has_as_many_photos_as_the_partitions_did(call):
    known = [(1000, 1600, 2.5), (1000, 1007, 40), (1300, 4000, 0.5), (3999, 4000, 100)]
    partitions = [{"started_at": start, "updated_at": end, "rate": rate} for start, end, rate in known]
    idle = [{"started_at": None, "updated_at": None, "rate": None}, {"started_at": 5, "updated_at": 5, "rate": 1.0}]
    times, rates = call("estimate", partitions + idle)
    assert len(times) == len(rates) <= 240
    width = times[1] - times[0]
    assert sum(rates) * width == pytest.approx(sum(rate * (end - start) for start, end, rate in known))
    assert call("estimate", idle) == [[], []]


@pytest.mark.parametrize("seconds", [0.4, 1, 7.3, 240, 1000.7])
def test_a_constant_rate_is_estimated_as_constant_to_its_end(call, seconds):
    _, rates = call("estimate", [{"started_at": 1.7e9, "updated_at": 1.7e9 + seconds, "rate": 10.0}])
    assert rates == pytest.approx([10.0] * len(rates))


def test_the_measured_rate_is_the_slope_of_the_last_ten_seconds(call):
    samples = [[at, 10 * at if at <= 20 else 200 + at - 20] for at in range(0, 41, 2)]
    times, rates = call("measure", samples)
    assert times == list(range(6, 41, 2))
    assert rates[:8] == [10.0] * 8
    assert rates[-6:] == [1.0] * 6
    assert call("measure", [[0, 100], [10, 40]]) == [[10], [0]]


def test_the_number_of_samples_is_bounded(call):
    samples, highest = [], 0
    for at in range(0, 4000, 2):
        samples.append([at, at])
        if len(samples) > 480:
            samples = call("thin", samples)
            assert len(samples) <= 480
            assert samples[-240:] == [[one, one] for one in range(at - 478, at + 2, 2)]
        highest = max(highest, len(samples))
    assert highest == 480
    assert samples[0] == [0, 0]
    assert samples == sorted(samples)


PIXELS = """
  const canvas = document.querySelector("#throughput-chart canvas");
  if (!canvas) return [0, 0];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  return ["estimated", "accent"].map((name) => {
    const dot = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    dot.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
    dot.fillRect(0, 0, 1, 1);
    const wanted = dot.getImageData(0, 0, 1, 1).data;
    let found = 0;
    for (let place = 0; place < data.length; place += 4) {
      found += [0, 1, 2, 3].every((part) => Math.abs(data[place + part] - wanted[part]) < 12) ? 1 : 0;
    }
    return found;
  });
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_lines_are_drawn(viewer, server, airflow_run, records, theme):
    began = time.time()
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    viewer.open(address(server))
    viewer.theme(theme)
    viewer.open(address(server))

    def drawn():
        passed = time.time() - began
        records.progress(0, photos_done=int(10 * passed), started_at=began, updated_at=began + passed)
        area, line = viewer.script(PIXELS)
        return area > 50 and line > 50

    until(drawn, every=0.5)
    label = viewer.one("#throughput-chart").get_attribute("aria-label")
    assert label.endswith("in the last minute, 10.0 at most")
    viewer.shot(f"throughput-{theme}")
