"""The README's pictures, of the built-in sample only: `make pictures`."""

from pathlib import Path
from urllib.parse import quote

from polling import until

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDTH = 1280


def test_pictures(person, airflow):
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
        person.resize(WIDTH, 1120)
        person.open(f"{airflow.address}/meanface/files/{here}/report.html")
        person.one("#mean")
        person.driver.save_screenshot(PICTURES / f"report-{theme}.png")
        person.open(airflow.address)
