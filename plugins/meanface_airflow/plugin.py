"""meanface in Airflow's UI: the progress page, its navigation entry, its tab, and links to it.

Also the listener that lets tasks start faster.

Every process of Airflow loads this module, tasks too. So the page's modules are imported by its
first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.plugins_manager import AirflowPlugin

from meanface_airflow import preload
from meanface_airflow.links import NAVIGATION, TAB, ProgressLink

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """The page's ASGI application."""
    from meanface_airflow.page.app import app

    await app(scope, receive, send)


class MeanfacePlugin(AirflowPlugin):
    """What Airflow's UI loads; URLs are relative to `[api] base_url`, which may have a path."""

    name = "meanface"
    fastapi_apps = [{"name": "meanface", "app": page, "url_prefix": "/meanface"}]  # noqa: RUF012  Airflow's own form
    external_views: list[Any] = [  # noqa: RUF012  Airflow's own form
        {
            "name": "Mean face",
            "href": "meanface/",
            "destination": "nav",
            "category": "browse",
            "url_route": NAVIGATION,
            "icon": "meanface/static/icon.svg",
            "icon_dark_mode": "meanface/static/icon-dark.svg",
        },
        {
            "name": "Mean face",
            "href": "meanface/run?dag={DAG_ID}&run={RUN_ID}&tab=1",
            "destination": "dag_run",
            "url_route": TAB,
            "icon": "meanface/static/icon.svg",
            "icon_dark_mode": "meanface/static/icon-dark.svg",
        },
    ]
    global_operator_extra_links = [ProgressLink()]  # noqa: RUF012  Airflow's own form
    listeners = [preload]  # noqa: RUF012  Airflow's own form
