"""Labels of a site by the year: REF and the rule for hub nodes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.metering import Reading, record_readings
from marketplace.energy.sitelabels import hub_rule, label_of, ref_of
from marketplace.energy.supply import take
from tests.energy.evidence import make_issuance, make_lot, make_point
from tests.energy.test_receipts_api import client_of
from tests.market import make_organization

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@given(retired=st.integers(0, 10**15), total=st.integers(0, 10**15))
def test_ref_is_never_more_than_one_and_unknown_of_nothing(retired, total):
    ref = ref_of(retired, total)

    assert (ref is None) == (total == 0)
    assert ref is None or 0 <= ref <= min(1_000_000, retired * 1_000_000 // total)


@pytest.mark.parametrize(
    ("green", "pue", "says"),
    [
        (800_001, 1_499_999, "met"),
        (800_000, 1_200_000, "not_met"),
        (900_000, 1_500_000, "not_met"),
        (None, 1_200_000, "unknown"),
        (900_000, None, "unknown"),
    ],
)
def test_the_hub_rule_needs_more_than_80_percent_green_and_less_than_1_5(green, pue, says):
    assert hub_rule(green, pue) == says


@pytest.fixture
def point(db):
    """Two hours of 2026 and one of 2025 are metered; 900 of 1,000 Wh that were made for them in 2026 are retired."""
    point = make_point(hub_node=True)
    readings = [Reading(NEW_YEAR + n * HOUR, 400, 500) for n in (-1, 0, 1)]
    record_readings(point=point, readings=readings)
    for start in (NEW_YEAR, NEW_YEAR - HOUR):
        lot = make_lot(1_000, point=point, issuance=make_issuance(start, zone=point.zone))
        take(lots=[lot.pk], wh=900, old="available", new="reserved", subject="job_a", now=NEW_YEAR)
        take(lots=[lot.pk], wh=900, old="reserved", new="cancelled", subject="job_a", now=NEW_YEAR)
    return point


def test_a_year_counts_its_own_hours_and_what_was_retired_of_its_own_energy(point):
    label = label_of(point=point, year=2026)

    assert (label.total_wh, label.retired_wh, label.metered_hours) == (1_000, 900, 2)
    assert (label.ref_ppm, label.pue_ppm, label.hub) == (900_000, 1_250_000, "met")
    before = label_of(point=point, year=2025)
    assert (before.total_wh, before.retired_wh, before.metered_hours, before.ref_ppm) == (500, 900, 1, 1_000_000)


def test_without_a_meter_nothing_is_claimed_and_elsewhere_the_hub_rule_is_silent(db):
    assert (label_of(point=make_point(), year=2026).ref_ppm, label_of(point=make_point(), year=2026).hub) == (
        None,
        None,
    )
    assert label_of(point=make_point(hub_node=True), year=2026).hub == "unknown"


def test_the_api_says_that_it_is_volume_matched_by_the_year(point):
    client = client_of(point.organization, "energy:read")

    answer = client.get(f"/api/v1/meter_points/{point.code}/labels/2026")

    body = answer.json()
    assert (body["method"], body["temporal_resolution"]) == ("volume-matched", "year")
    assert (body["ref_ppm"], body["hub_rule"]) == (900_000, "met")
    assert client.get(f"/api/v1/meter_points/{point.code}/labels/3000").status_code == 404
    stranger = client_of(make_organization(funds=0), "energy:read")
    assert stranger.get(f"/api/v1/meter_points/{point.code}/labels/2026").status_code == 404
