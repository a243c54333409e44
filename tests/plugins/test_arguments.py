from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from meanface_airflow.arguments import StageArguments, options
from meanface_airflow.errors import StageRefused
from meanface_airflow.params import PARAMS

RUN = "manual__2026-01-02T03:04:05+00:00"
DAY = datetime(2026, 1, 2, tzinfo=UTC)


def context(**changes):
    """The part of a task's context that arguments are made of."""
    task_instance = SimpleNamespace(dag_id="meanface", try_number=2)
    run = SimpleNamespace(run_after=datetime(2026, 1, 3, 12, tzinfo=UTC))
    return {"run_id": RUN, "logical_date": DAY, "dag_run": run, "ti": task_instance, "params": {}} | changes


def test_values_that_are_not_set_are_left_out():
    assert options({"a": None, "b": ""}) == []


def test_false_is_written_out():
    """A setting's default may be true, so the param must reach the stage."""
    assert "--no-face-pixels" in StageArguments("plan")(context(params={"face_pixels": False}))
    assert "--face-pixels" in StageArguments("plan")(context(params={"face_pixels": True}))


def test_zero_is_a_value():
    assert options({"partition": 0, "max_failed_fraction": 0.0}) == ["--partition=0", "--max-failed-fraction=0.0"]


@pytest.mark.parametrize(
    "value", ["--faces=all", "{{ conn.meanface_redis.password }}", "a b", "$HOME;ls", "ä\n", "anna\nbob"]
)
def test_a_value_never_becomes_anything_but_its_options_value(value):
    arguments = StageArguments("plan")(context(params={"dataset": value}))
    assert f"--dataset={value}" in arguments
    assert len(arguments) == 4


def test_every_param_is_an_option_of_plan():
    of_type = {"boolean": True, "array": ["7", "--faces=all"]}
    values = {
        name: param.schema.get("enum", [of_type.get(str(param.schema["type"]), "7")])[-1]
        for name, param in PARAMS.items()
    }
    arguments = StageArguments("plan")(context(params=values))
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            assert (option if each is True else f"{option}={each}") in arguments


def test_a_run_of_another_dag_has_a_name_of_its_own():
    of_family = context(ti=SimpleNamespace(dag_id="family", try_number=1))
    assert f"--run=family@{RUN}" in StageArguments("reduce")(of_family)
    assert f"--run={RUN}" in StageArguments("reduce")(context())


def test_a_param_cannot_take_another_runs_name():
    assert StageArguments("plan")(context(params={"run": "other"})).count(f"--run={RUN}") == 1
    assert "--run=other" not in StageArguments("plan")(context(params={"run": "other"}))


def test_a_series_is_an_option_if_it_is_set():
    assert "--series=faces" in StageArguments("plan")(context(params={"series": "faces"}))
    assert not [word for word in StageArguments("plan")(context(params={"series": None})) if "series" in word]


def test_a_run_of_a_series_needs_a_logical_date():
    """Its start differs for each trigger, so the same photos would count again."""
    with pytest.raises(StageRefused, match=r"series: .*--logical-date.*Logical Date.*clear it"):
        StageArguments("plan")(context(logical_date=None, params={"series": "faces"}))


def test_a_run_of_a_partitioned_schedule_has_the_date_of_its_partition():
    partition = datetime(2026, 1, 1, tzinfo=UTC)
    given = context(logical_date=None, partition_date=partition, params={"series": "faces"})
    assert "--date=2026-01-01T00:00:00+00:00" in StageArguments("plan")(given)


def test_the_date_is_the_logical_date():
    assert "--date=2026-01-02T00:00:00+00:00" in StageArguments("plan")(context())


def test_without_a_logical_date_the_date_is_when_the_run_was_to_start():
    assert "--date=2026-01-03T12:00:00+00:00" in StageArguments("plan")(context(logical_date=None))


def test_embed_names_its_partition_and_attempt():
    assert StageArguments("embed", 0)(context()) == ["embed", f"--run={RUN}", "--partition=0", "--attempt=2"]
    assert StageArguments("embed", 5, workers=3)(context())[-1] == "--workers=3"


def test_reduce_needs_only_the_run():
    assert StageArguments("reduce")(context()) == ["reduce", f"--run={RUN}"]


@pytest.mark.parametrize("arguments", [StageArguments("embed"), StageArguments("train")])
def test_a_stage_that_does_not_exist_is_a_defect(arguments):
    with pytest.raises(ValueError, match="no stage"):
        arguments(context())
