"""The operator that runs a stage, as the deployment's runtime has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meanface_airflow.settings import Runtime, settings

# Only the one that is used is imported: the Kubernetes client takes a second of every parse.
if TYPE_CHECKING or settings().runtime is Runtime.KUBERNETES:
    from meanface_airflow.pod import PodStageOperator as StageOperator
else:
    from meanface_airflow.process import ProcessStageOperator as StageOperator

__all__ = ["StageOperator"]
