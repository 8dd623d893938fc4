"""`python -m benchmarks.shifting` compares ways to choose hours, names what is missed, or says it cannot measure."""

import sys

import numpy as np
import pytest

from benchmarks import shifting
from benchmarks.green.reading import FIRST_OF_2024, HOURS_TO_2025
from scheduler.core.pieces import Work

HOUR = 3600


def test_without_the_file_nothing_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["shifting", str(tmp_path)])

    assert shifting.main() == 0
    assert capsys.readouterr().out.startswith("nothing measured: ")


def test_on_days_that_are_alike_every_way_saves_what_hindsight_does():
    """Clean from 3 to 5 and from 12 to 14 o'clock: four hours in one piece meet half of that."""
    day = np.array([400.0] * 24)
    day[[3, 4, 12, 13]] = 100
    series = np.tile(day, 30)

    whole = shifting.shifting(series, 200, run=4, window=24)
    pieces = shifting.in_pieces(series, 200, run=4, window=24, work=Work(4 * HOUR, 4))
    hours = shifting.scattering(series, 200, run=4, window=24)

    assert whole.saved == pytest.approx(whole.could_be_saved)
    assert pieces.saved == pytest.approx(pieces.could_be_saved)
    assert whole.saved == pytest.approx(1 - 994 / 1393)  # two clean hours of four, but where the window cuts a span
    assert hours.saved == pytest.approx(1 - 1988 / 6965)
    assert whole.saved < pieces.saved < hours.saved < pieces.saved + 0.02


def test_a_restart_is_paid_for():
    series = np.tile(np.array([400.0] * 6 + [100.0] * 2 + [400.0] * 8 + [100.0] * 2 + [400.0] * 6), 20)

    free = shifting.in_pieces(series, 192, run=4, window=24, work=Work(4 * HOUR, 2, 0))
    paid = shifting.in_pieces(series, 192, run=4, window=24, work=Work(4 * HOUR, 2, 600))

    assert free.at_once == paid.at_once
    assert free.best < paid.best


def test_a_missed_goal_is_named():
    found = {
        f"{run} h in {window}": {"contiguous": list(shifting.CONTIGUOUS[run, window]), "cheapest_hours": list(values)}
        for (run, window), values in shifting.CHEAPEST_HOURS.items()
    }
    assert [each for each in shifting.goals(found) if not each.reached] == []

    found["24 h in 96"]["contiguous"][1] = 11.4

    assert [each.name for each in shifting.goals(found) if not each.reached] == ["24 h in 96, contiguous, oracle"]


def test_each_run_is_measured_in_three_ways(monkeypatch):
    monkeypatch.setattr(shifting, "CONTIGUOUS", {(1, 3): (0, 0)})
    flat = np.full(HOURS_TO_2025, 100.0)
    monkeypatch.setattr(shifting, "FIRST_OF_2024", HOURS_TO_2025 - 50)
    assert FIRST_OF_2024 < HOURS_TO_2025 - 50

    assert shifting.measured([flat], restart_s=600) == {
        "1 h in 3": {"contiguous": [0, 0], "cheapest_hours": [0, 0], "in_pieces": [0, 0]}
    }
