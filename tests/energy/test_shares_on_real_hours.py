"""Promises and matching on a year of real sun and wind of three zones (energy.md: Forecast, Annual is not hourly)."""

import numpy as np
import pytest

from benchmarks.green.reading import FIRST_HOUR
from marketplace.energy.annual import Matching, matching, scaled
from marketplace.energy.scoring import promises_kept

BY_THE_HOUR = {
    "US-CAL-CISO": {"solar": 44.2, "wind": 72.0, "half each": 73.5},
    "US-TEX-ERCO": {"solar": 43.3, "wind": 76.7, "half each": 74.4},
    "US-MIDA-PJM": {"solar": 41.5, "wind": 71.8, "half each": 69.8},
}
COARSER = {  # the range of the three zones in whole per cent
    "solar": {"month": (86, 89), "day": (82, 88)},
    "wind": {"month": (86, 93), "day": (76, 81)},
    "half each": {"month": (88, 95), "day": (85, 90)},
}


def test_nine_in_ten_promises_for_the_next_day_are_kept(us_output):
    """Made at each midnight for days 101 to 364, with a flat load of half the mean output and of all of it."""
    kept = [
        100 * promises_kept(output, solar=kind == "solar", load=load, days=range(100, 364))
        for zone in us_output.values()
        for kind, output in (("solar", zone.solar), ("wind", zone.wind))
        for load in (0.5, 1.0)
    ]

    assert len(kept) == 12
    assert np.mean(kept) >= 90
    assert min(kept) >= 87


@pytest.fixture(scope="module")
def by_period(us_output) -> dict[str, dict[str, Matching]]:
    """For each plant and zone, what a flat load gets of a plant that makes as much in the year, in per cent."""
    found: dict[str, dict[str, Matching]] = {"solar": {}, "wind": {}, "half each": {}}
    for zone, output in us_output.items():
        both = scaled(output.solar, 1) + scaled(output.wind, 1)
        for kind, supply in (("solar", output.solar), ("wind", output.wind), ("half each", both)):
            use = np.ones(len(supply))
            shares = matching(use, scaled(supply, len(supply)), FIRST_HOUR)
            found[kind][zone] = Matching(*(100 * share for share in shares))
    return found


def test_what_matches_all_of_a_year_matches_less_than_half_of_its_hours_with_the_sun(by_period):
    for kind, zones in by_period.items():
        for zone, found in zones.items():
            assert found.year == pytest.approx(100)
            assert found.hour == pytest.approx(BY_THE_HOUR[zone][kind], abs=0.1), (kind, zone)
    assert round(np.mean([found.hour for found in by_period["solar"].values()])) == 43


def test_a_month_and_a_day_hide_as_much_as_the_specification_measured(by_period):
    for kind, zones in by_period.items():
        for period, (least, most) in COARSER[kind].items():
            found = [getattr(each, period) for each in zones.values()]
            assert least - 0.5 <= min(found) <= max(found) <= most + 0.5, (kind, period)
