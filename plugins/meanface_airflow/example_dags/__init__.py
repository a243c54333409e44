"""Examples of DAGs that use the results of `mean_face_dag`; copy one into the DAG folder to run it."""
