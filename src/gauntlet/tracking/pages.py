"""Searches of the store, page by page, so that none stops silently at the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mlflow
from mlflow.entities import Run


def search(condition: str, order: str, page: int = 1000) -> Iterator[Run]:
    """Yield the runs of all experiments that a filter finds, page by page.

    Raises:
        MlflowException: it is no filter.
    """
    client = mlflow.MlflowClient()
    experiments = [e.experiment_id for e in every(client.search_experiments)]
    return every(client.search_runs, experiments, condition, order_by=[order], max_results=page)


def every(ask: Callable[..., Any], *args: Any, **options: Any) -> Iterator[Any]:
    """Yield what a search of MLflow finds on all of its pages, however many there are."""
    token = None
    while True:
        page = ask(*args, page_token=token, **options)
        yield from page
        token = page.token
        if not token:
            return
