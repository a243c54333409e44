"""A stage's data as OpenLineage's own objects; imported only where OpenLineage's provider is installed."""

from __future__ import annotations

from typing import Any

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    RunFacet,
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
)

from meanface_airflow.lineage import Dataset, StageData

RUN_FACET = "meanface_run"


@attr.define
class MeanfaceRunFacet(RunFacet):
    """The figures of a stage, by their names in `result.json`; None for what the stage does not know."""

    run: str
    partition: int | None = None
    recipe: str | None = None
    fingerprint: str | None = None
    photos: int | None = None
    photos_with_face: int | None = None
    faces: int | None = None
    outcomes: dict[str, int] | None = None
    artifacts: dict[str, str] | None = None
    version: str | None = None
    """of the package `meanface`"""

    @staticmethod
    def _get_schema() -> str:
        return "x-meanface://openlineage/1/MeanfaceRunFacet.json"


def operator_lineage(data: StageData) -> OperatorLineage[Any, Any]:
    """What OpenLineage's provider expects of an operator."""
    return OperatorLineage(
        inputs=[_input(each) for each in data.inputs],
        outputs=[_output(each) for each in data.outputs],
        run_facets={RUN_FACET: MeanfaceRunFacet(**data.figures)},
    )


def _facets(each: Dataset) -> dict[str, DatasetFacet]:
    if each.version is None:
        return {}
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(each.version)}


def _input(each: Dataset) -> InputDataset:
    statistics: dict[str, InputDatasetFacet] = {}
    if each.rows is not None:
        facet = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=each.rows)
        statistics = {"inputStatistics": facet}
    return InputDataset(each.namespace, each.name, facets=_facets(each), inputFacets=statistics)


def _output(each: Dataset) -> OutputDataset:
    statistics: dict[str, OutputDatasetFacet] = {}
    if each.rows is not None:
        facet = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=each.rows, fileCount=each.files
        )
        statistics = {"outputStatistics": facet}
    return OutputDataset(each.namespace, each.name, facets=_facets(each), outputFacets=statistics)
