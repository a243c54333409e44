"""A run's failed photos in a browser, while photos fail."""

from page_airflow import address
from polling import until


def fail(records, partition, photos, outcome="undecodable", names=None):
    """Write records as `embed` does: the first 50 failed photos, and how many there are."""
    names = names or [f"{partition}/{photo}.jpg" for photo in range(min(photos, 50))]
    records.failures(partition, [[name, outcome, "no image"] for name in names], more=photos - len(names))
    records.progress(partition, photos=500, outcomes={"ok": 100, outcome: photos}, failures_named=photos)


def until_note(viewer, text):
    until(lambda: viewer.text("#failures-note").startswith(text))


def listed(viewer):
    return viewer.each("#failure-rows th")


def button(viewer):
    (found,) = viewer.all("#more-failures")
    return found.is_displayed() and found.text


def test_partitions_that_fail_later_are_offered(viewer, server, airflow_run, records):
    airflow_run(embed=[("running", 1)] * 41)
    records.plan(41)
    fail(records, 0, 3)
    viewer.open(address(server))
    until_note(viewer, "3 of 3 failed photos listed.")
    assert not button(viewer)
    for partition in range(1, 41):
        fail(records, partition, 1)
    for before, left in ((3, 40), (23, 20)):
        until_note(viewer, f"{before} of 43 failed photos listed.")
        until(lambda left=left: button(viewer) == f"Show more, from {left} partitions")
        viewer.one("#more-failures").click()
    until_note(viewer, "43 of 43 failed photos listed.")
    assert not button(viewer)
    assert len(set(listed(viewer))) == 43


def test_photos_that_fail_later_are_listed_once(viewer, server, airflow_run, records):
    """For a partition that was fetched before; a second attempt lists fewer at first, in another
    order.
    """
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    fail(records, 0, 3)
    viewer.open(address(server))
    until_note(viewer, "3 of 3 failed photos listed.")
    fail(records, 0, 1, names=["0/2.jpg"])
    until_note(viewer, "3 of 1 failed photo listed.")
    fail(records, 0, 5, names=[f"0/{photo}.jpg" for photo in (2, 4, 0, 3, 1)])
    until(lambda: button(viewer) == "Show more, from 1 partition")
    viewer.one("#more-failures").click()
    until_note(viewer, "5 of 5 failed photos listed.")
    assert listed(viewer) == [f"0/{photo}.jpg" for photo in (0, 1, 2, 4, 3)]
    assert not button(viewer)
    fail(records, 0, 60)
    until(lambda: button(viewer))
    viewer.one("#more-failures").click()
    rest = "Each partition lists only its first 50 here;"
    until_note(viewer, f"50 of 60 failed photos listed. {rest} 10 more")
    fail(records, 0, 70)
    until_note(viewer, f"50 of 70 failed photos listed. {rest} 20 more")
    assert not button(viewer)


HOLD = """
  const ask = window.fetch;
  window.held = [];
  window.fetch = async (address, ...more) => {
    const answer = await ask(address, ...more);
    if (String(address).includes("api/failures")) await new Promise((go) => window.held.push(go));
    return answer;
  };
"""


def test_an_outcome_chosen_while_names_load_is_fetched(viewer, server, airflow_run, records):
    airflow_run(state="failed", plan="success", embed=[("success", 1)] * 2)
    records.plan(2)
    fail(records, 0, 2)
    fail(records, 1, 3, outcome="unreadable")
    viewer.open(address(server))
    until_note(viewer, "5 of 5 failed photos listed.")
    viewer.script(HOLD)
    for outcome in ("undecodable", "unreadable"):
        viewer.one(f"#failure-outcomes [data-name={outcome}]").click()
    for answers in (1, 2):
        until(lambda answers=answers: viewer.script("return window.held.length") == answers, seconds=15)
        viewer.script("window.held.at(-1)()")
    until_note(viewer, "3 of 3 failed photos listed.")
    assert listed(viewer) == ["1/0.jpg", "1/1.jpg", "1/2.jpg"]
