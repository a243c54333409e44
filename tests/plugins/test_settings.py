import pytest

from meanface_airflow.settings import Runtime, Settings


def test_kubernetes_is_the_default_runtime():
    assert Settings.from_environment({}) == Settings(runtime=Runtime.KUBERNETES)


def test_an_empty_variable_counts_as_absent():
    assert (
        Settings.from_environment({"MEANFACE_RUNTIME": "", "MEANFACE_IMAGE": "", "MEANFACE_WORKERS": ""}) == Settings()
    )


GIVEN = {
    "runtime": ("process", Runtime.PROCESS),
    "workers": ("3", 3),
    "poll_interval": ("9", 9),
    "lost_pod_seconds": ("30", 30),
    "storage": ("/storage", "/storage"),
    "image_pull_secrets": ("one, two", ("one", "two")),
    "resources": ('{"limits": {"cpu": "2"}}', {"limits": {"cpu": "2"}}),
    "node_selector": ('{"disk": "ssd"}', {"disk": "ssd"}),
    "tolerations": ('[{"operator": "Exists"}]', [{"operator": "Exists"}]),
    "affinity": ('{"nodeAffinity": {}}', {"nodeAffinity": {}}),
    "env": ('{"AWS_REGION": "eu-1"}', {"AWS_REGION": "eu-1"}),
    "dag_params": ('{"dataset": "lfw"}', {"dataset": "lfw"}),
}


def test_every_setting_comes_from_its_variable():
    given = {name: GIVEN.get(name, (f"given-{name}", f"given-{name}")) for name in Settings.__dataclass_fields__}
    del given["in_cluster"]
    read = Settings.from_environment({f"MEANFACE_{name.upper()}": text for name, (text, _) in given.items()})
    assert {name: getattr(read, name) for name in given} == {name: value for name, (_, value) in given.items()}


def test_a_variable_takes_precedence_over_the_section():
    section = {"workers": "3", "image": "section"}
    read = Settings.from_environment({"MEANFACE_WORKERS": "4", "MEANFACE_IMAGE": ""}, section)
    assert (read.workers, read.image) == (4, "section")


def test_a_wrong_option_of_the_section_is_named():
    with pytest.raises(ValueError, match=r"\[meanface\] workers: 'many': expected a whole number"):
        Settings.from_environment({}, {"workers": "many"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MEANFACE_RUNTIME", "docker", "expected kubernetes or process"),
        ("MEANFACE_WORKERS", "many", "expected a whole number, 0 or more"),
        ("MEANFACE_WORKERS", "-1", "expected a whole number, 0 or more"),
        ("MEANFACE_RESOURCES", "{cpu: 1", "Expecting property name"),
        ("MEANFACE_TOLERATIONS", "{}", r"expected JSON that starts with \["),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value, expected):
    with pytest.raises(ValueError, match=rf"{name}: '.*': {expected}"):
        Settings.from_environment({name: value})


def test_a_claim_needs_a_folder():
    with pytest.raises(ValueError, match=r"MEANFACE_STORAGE: 's3://bucket'"):
        Settings(storage="s3://bucket", storage_claim="photos")


@pytest.mark.parametrize(
    ("environment", "inside"),
    [
        ({}, False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": "/elsewhere"}, False),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "MEANFACE_KUBERNETES_CONNECTION": "elsewhere"}, False),
    ],
)
def test_in_cluster_is_detected_unless_another_cluster_is_named(environment, inside):
    assert Settings.from_environment(environment).in_cluster is inside
