"""Processes that act at the same moment."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections

FORK = multiprocessing.get_context("fork")
REFUSED = "refused"
LONG_S = 240  # a busy machine is not a deadlock


def _race(
    act: Callable[[], Any], refusals: tuple[type[Exception], ...], database: str, start: Any, results: Any
) -> None:  # fmt: skip
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    start.wait(timeout=LONG_S)
    try:
        results.put(act())
    except refusals:
        results.put(REFUSED)
    connections.close_all()


def race(acts: Sequence[Callable[[], Any]], *, refusals: tuple[type[Exception], ...] = ()) -> list[Any]:
    """Run each of `acts` in a process of its own, all at once; what they returned, as they came.

    REFUSED stands for one that raised one of `refusals`; any other exception fails the race.
    """
    results, start, database = FORK.Queue(), FORK.Barrier(len(acts)), connection.settings_dict["NAME"]
    connections.close_all()
    racers = [FORK.Process(target=_race, args=(act, refusals, database, start, results)) for act in acts]
    for racer in racers:
        racer.start()
    returned = [results.get(timeout=LONG_S) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return returned
