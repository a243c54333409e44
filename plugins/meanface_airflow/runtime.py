"""The operator that runs a stage, chosen by the deployment's setting `runtime`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meanface_airflow.settings import Runtime, settings

# Only the operator in use is imported: the Kubernetes client adds a second to every parse.
if TYPE_CHECKING or settings().runtime is Runtime.KUBERNETES:
    from meanface_airflow.pod import PodStageOperator as StageOperator
else:
    from meanface_airflow.process import ProcessStageOperator as StageOperator

__all__ = ["StageOperator"]
