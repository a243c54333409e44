"""The DAG `meanface`: the mean face embedding of a photo collection."""

from meanface_airflow import mean_face_dag
from meanface_airflow.settings import settings

mean_face_dag("meanface", params=settings().dag_params)
