import pytest

from meanface_airflow.settings import Runtime, Settings


def test_kubernetes_is_the_default_runtime():
    assert Settings.of({}) == Settings(runtime=Runtime.KUBERNETES)


def test_an_empty_variable_counts_as_absent():
    assert Settings.of({"MEANFACE_RUNTIME": "", "MEANFACE_IMAGE": "", "MEANFACE_WORKERS": ""}) == Settings()


def test_every_setting_comes_from_its_variable():
    values = {name: f"given-{name}" for name in Settings.__dataclass_fields__}
    values |= {"runtime": "process", "workers": "3"}
    given = Settings.of({f"MEANFACE_{name.upper()}": value for name, value in values.items()})
    assert {name: str(getattr(given, name)) for name in values} == values


@pytest.mark.parametrize(
    ("name", "value"), [("MEANFACE_RUNTIME", "docker"), ("MEANFACE_WORKERS", "many"), ("MEANFACE_WORKERS", "-1")]
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Settings.of({name: value})
