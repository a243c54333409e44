"""What Airflow reads of an installed `meanface-airflow`: its connection type and its section of the configuration."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from itertools import pairwise
from typing import Any

from meanface_airflow.connection import CONNECTION_ID, CONNECTION_TYPE
from meanface_airflow.settings import SECTION, Settings

VERSION_ADDED = "0.2.0"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description; the entry point `apache_airflow_provider` names this function."""
    return {
        "package-name": "meanface-airflow",
        "name": "meanface",
        "description": "The mean face embedding of a photo collection.",
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "meanface_airflow.hook.MeanfaceRedisHook",
                "hook-name": "Redis of meanface",
                "ui-field-behaviour": {
                    "relabeling": {"schema": "Database", "login": "User"},
                    "placeholders": {"schema": "0", "port": "6379", "extra": '{"ssl": true}'},
                },
            }
        ],
        "config": {
            SECTION: {
                "description": "How the stages of meanface run. The variables MEANFACE_* of the environment take "
                f"precedence. Redis is in the connection {CONNECTION_ID}.",
                "options": _options(),
            }
        },
    }


def _options() -> dict[str, dict[str, Any]]:
    """The options of the section: the fields of `Settings`, described by their docstrings."""
    described = _field_docstrings()
    return {
        field.name: {
            "description": described.get(field.name, f"Kubernetes' own setting of pods: {field.name}."),
            "version_added": VERSION_ADDED,
            "type": "string",
            "example": None,
            "default": None,
        }
        for field in fields(Settings)
        if field.name != "in_cluster"  # detected, not set
    }


def _field_docstrings() -> dict[str, str]:
    """The docstring behind each field of `Settings`, in one line."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(Settings)).body if isinstance(node, ast.ClassDef))
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(text.value)).split())
    return found
