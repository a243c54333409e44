"""The DAG `meanface`: the mean face embedding of a photo collection."""

from meanface_airflow import mean_face_dag

mean_face_dag("meanface")
