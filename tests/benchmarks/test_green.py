"""`python -m benchmarks.green` fails when a goal is missed, names it, and says when it has nothing to measure."""

import json
import sys

import pytest

from benchmarks.green import __main__ as green
from benchmarks.green.goals import Goal, missed
from benchmarks.green.reading import HOURS_TO_2025, ZoneSeries, scored, with_2024


def test_without_the_files_nothing_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["green", str(tmp_path)])

    assert green.main() == 0
    assert capsys.readouterr().out.startswith("nothing measured: ")


@pytest.mark.parametrize(("missing", "status"), [([], 0), (["seconds: 61 is not within 0 and 60"], 1)])
def test_a_missed_goal_is_a_failure(monkeypatch, capsys, tmp_path, missing, status):
    for name in (green.reading.GRID, green.reading.MIX):
        (tmp_path / name).touch()
    monkeypatch.setattr(green, "run", lambda folder, offers, places: {"missed": missing})
    monkeypatch.setattr(sys, "argv", ["green", str(tmp_path)])

    assert green.main() == status
    assert json.loads(capsys.readouterr().out) == {"missed": missing}


def test_a_goal_is_reached_up_to_both_ends_of_its_range():
    assert [Goal("", found, 77, 83).reached for found in (76.99, 77, 83, 83.01)] == [False, True, True, False]


def test_what_is_missed_is_named_with_its_figure():
    spans = ("1-6", "1-24", "25-48", "49-96")
    right = {"blend": (7.5, 11.0, 14.9, 16.2), "yesterday": (13.3, 13.3, 17.0, 18.5)}
    points = {"blend": (2.8, 3.9, 5.0, 5.4), "yesterday": (4.8, 4.8, 5.9, 6.3)}
    figures = {
        "errors": {
            "lifecycle_mape_percent": {name: dict(zip(spans, values, strict=True)) for name, values in right.items()},
            "renewable_mae_points": {name: dict(zip(spans, values, strict=True)) for name, values in points.items()},
            "mase": {"mean": 0.9},
            "inside_p10_p90_percent": {"mean": 80, "least": 76.5, "most": 82},
        },
        "waiting": {"saved_percent": {"mean": 18.9}, "oracle_percent": {"mean": 20.3}},
        "places_g": {"average": 385, "best": 88, "best_each_hour": 70},
        "promises_kept_percent": {"mean": 90, "least": 87},
        "annual_is_not_hourly_percent": {
            "US-TEX-ERCO": {"solar": {"year": 100, "month": 87, "day": 83, "hour": 43.5}}
        },
        "listing": {"seconds_total": 3}, "seconds": 20,
    }  # fmt: skip

    assert missed(figures) == [
        "mase: 0.9 is not within 0 and 0.899",
        "inside P10 to P90, least: 76.5 is not within 77 and 83",
        "solar in US-TEX-ERCO by the hour: 43.5 is not within 43.2 and 43.4",
    ]


def test_zones_that_are_modelled_or_end_early_are_not_scored():
    full, short = ZoneSeries([0] * HOURS_TO_2025, []), ZoneSeries([0] * 24, [])
    zones = {"DE": full, "JP-TK": full, "FR": short}

    assert list(with_2024(zones)) == ["DE", "JP-TK"]
    assert list(scored(zones)) == ["DE"]
