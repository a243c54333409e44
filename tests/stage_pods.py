"""Settings and a run of pods, for their tests."""

from meanface_airflow.settings import Settings

SETTINGS = Settings(
    image="registry.example/meanface:1",
    image_pull_policy="Always",
    image_pull_secrets=("registry",),
    namespace="faces",
    instance="mine",
    service_account="stages",
    priority_class="batch",
    resources={"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}},
    node_selector={"disk": "ssd"},
    tolerations=[{"key": "spot", "operator": "Exists"}],
    affinity={"nodeAffinity": {}},
    env={"AWS_REGION": "eu-1"},
    storage="s3://results",
    redis_secret="redis-address",
    storage_secret="bucket-key",
)
RUN = "manual__2026-11-24T05:52:17.859827+00:00"
