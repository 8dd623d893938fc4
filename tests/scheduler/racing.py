"""Processes that act at the same moment."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections

FORK = multiprocessing.get_context("fork")


def _race(act: Callable[[], Any], database: str, start: Any, results: Any) -> None:
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    start.wait(timeout=60)
    results.put(act())
    connections.close_all()


def race(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each of `acts` in a process of its own, all at once; what they returned, as they came."""
    results, start, database = FORK.Queue(), FORK.Barrier(len(acts)), connection.settings_dict["NAME"]
    connections.close_all()
    racers = [FORK.Process(target=_race, args=(act, database, start, results)) for act in acts]
    for racer in racers:
        racer.start()
    returned = [results.get(timeout=120) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return returned
