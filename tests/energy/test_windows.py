"""Signals over any window: known where known, forecast where not, and the means of a run with its partial hours."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.copying import HourRow, copy_hours
from marketplace.energy.errors import NoHistory
from marketplace.energy.models import GridHour, GridZone
from marketplace.energy.services import ZoneHours, hours_of, refresh_hours, share_over
from marketplace.energy.signals.sample import SampleProvider
from marketplace.energy.windows import OUTAGE_HOURS, mean_of, overlaps
from tests.energy.conftest import NOW

HOUR = timedelta(hours=1)
LAST = datetime(2026, 11, 24, 9, tzinfo=UTC)  # the last hour that has ended by NOW


def row(zone: GridZone, start: datetime, **values) -> HourRow:
    facts = {
        "direct_mg": 300_000, "lifecycle_mg": 400_000, "residual_mg": None, "renewable_ppm": 500_000,
        "carbon_free_ppm": 600_000, "source": "electricity_maps", "vintage": "a", "estimated": False,
        "published_at": start + HOUR,
    }  # fmt: skip
    return HourRow(zone=zone.pk, start=start, **facts | values)


@pytest.fixture
def france(db) -> GridZone:
    return GridZone.objects.create(code="FR", name="France", country="FR")


def publish(zone: GridZone, first: datetime, count: int, **values) -> None:
    copy_hours(row(zone, first + n * HOUR, **values) for n in range(count))


def test_ended_hours_are_the_published_ones_and_later_hours_are_forecast(ningxia):
    window = hours_of(zones=[ningxia], start=NOW - 3 * HOUR, hours=6, now=NOW).zone(ningxia)

    published = GridHour.objects.filter(zone=ningxia, start__gte=LAST - 2 * HOUR).order_by("start")
    assert window.renewable_ppm[:3] == tuple(published.values_list("renewable_ppm", flat=True))
    assert window.lifecycle_mg[:3] == tuple(published.values_list("lifecycle_mg_per_kwh", flat=True))
    assert window.forecast == (False, False, False, True, True, True)


def test_what_rests_on_sample_hours_says_sample_even_when_it_is_forecast(ningxia):
    window = hours_of(zones=[ningxia], start=NOW - HOUR, hours=2, now=NOW).zone(ningxia)

    assert [window.quality(n) for n in range(2)] == ["sample", "sample"]


def test_real_hours_say_metered_modelled_or_forecast(france):
    publish(france, LAST - 200 * HOUR, 200)
    publish(france, LAST, 1, estimated=True)

    window = hours_of(zones=[france], start=LAST - HOUR, hours=3, now=NOW).zone(france)

    assert [window.quality(n) for n in range(3)] == ["metered", "modelled", "forecast"]
    assert window.lifecycle_mg == (400_000, 400_000, 400_000)


def test_a_later_vintage_wins_and_a_real_hour_wins_over_a_sample_of_it(ningxia):
    publish(ningxia, LAST, 1, vintage="first", published_at=NOW, lifecycle_mg=1)
    publish(ningxia, LAST, 1, vintage="second", published_at=NOW + HOUR, lifecycle_mg=2)
    publish(ningxia, LAST, 1, source="sample", vintage="9", published_at=NOW + 2 * HOUR, lifecycle_mg=3)

    window = hours_of(zones=[ningxia], start=LAST, hours=1, now=NOW).zone(ningxia)

    assert window.lifecycle_mg == (2,)
    assert window.quality(0) == "metered"


def test_a_window_two_weeks_ahead_is_forecast_for_every_zone(zones):
    window = hours_of(zones=zones, start=NOW + 10 * 24 * HOUR, hours=96, now=NOW)

    for zone in zones:
        hours = window.zone(zone)
        assert len(hours.renewable_ppm) == 96
        assert all(
            0 <= low <= high <= 1_000_000 for low, high in zip(hours.renewable_ppm, hours.carbon_free_ppm, strict=True)
        )
        assert min(hours.lifecycle_mg) >= 0


def test_the_same_moment_gives_the_same_window_however_late_it_is_asked_for(ningxia):
    before = hours_of(zones=[ningxia], start=NOW, hours=24, now=NOW).zone(ningxia)

    refresh_hours(provider=SampleProvider(), zones=[ningxia], now=NOW + 6 * HOUR)

    assert hours_of(zones=[ningxia], start=NOW, hours=24, now=NOW).zone(ningxia) == before
    assert hours_of(zones=[ningxia], start=NOW, hours=24, now=NOW + 6 * HOUR).zone(ningxia) != before


def test_a_newly_published_hour_is_seen_at_once(ningxia):
    before = hours_of(zones=[ningxia], start=LAST, hours=1, now=NOW).zone(ningxia)

    publish(ningxia, LAST, 1, lifecycle_mg=7)

    assert before.lifecycle_mg != (7,)
    assert hours_of(zones=[ningxia], start=LAST, hours=1, now=NOW).zone(ningxia).lifecycle_mg == (7,)


def test_reading_costs_two_queries_cold_and_one_warm_whatever_the_number_of_zones(zones, django_assert_num_queries):
    with django_assert_num_queries(2):
        hours_of(zones=zones, start=NOW, hours=335, now=NOW)
    with django_assert_num_queries(1):
        hours_of(zones=zones, start=NOW, hours=335, now=NOW)


def test_a_gap_in_the_record_is_forecast_from_the_hours_before_it(france):
    publish(france, LAST - 300 * HOUR, 290)
    publish(france, LAST - 5 * HOUR, 6)

    window = hours_of(zones=[france], start=LAST - 12 * HOUR, hours=13, now=NOW).zone(france)

    assert window.forecast == (False,) * 2 + (True,) * 5 + (False,) * 6
    assert window.quality(4) == "forecast"


def test_a_zone_silent_for_too_long_is_not_forecast(france):
    publish(france, LAST - 400 * HOUR, 400 - OUTAGE_HOURS)

    window = hours_of(zones=[france], start=NOW, hours=1, now=NOW)

    assert not window.has(france)


def test_known_hours_need_no_history(france):
    publish(france, LAST - 3 * HOUR, 4)

    assert share_over(zone=france, start=LAST - HOUR, end=LAST + HOUR, now=NOW).quality == "metered"


def test_a_zone_without_hours_is_refused_by_name_and_harms_no_other(ningxia, france):
    window = hours_of(zones=[ningxia, france], start=NOW, hours=4, now=NOW)

    assert window.has(ningxia)
    with pytest.raises(NoHistory) as refusal:
        window.zone(france)
    assert refusal.value.facts == {"zone": "FR"}


def test_a_run_weighs_each_hour_by_its_part_of_it(france):
    publish(france, LAST - 2 * HOUR, 1, renewable_ppm=100_000, lifecycle_mg=600_001)
    publish(france, LAST - HOUR, 1, renewable_ppm=400_000, lifecycle_mg=300_000)

    share = share_over(
        zone=france, start=LAST - 2 * HOUR + timedelta(minutes=45), end=LAST - timedelta(minutes=30), now=NOW
    )

    assert share.renewable_ppm == 300_000  # 15 minutes at 10 %, 30 at 40 %
    assert share.lifecycle_mg == 400_001  # 400,000.33 rounded up


def test_one_forecast_hour_makes_the_whole_run_a_forecast(france):
    publish(france, LAST - 300 * HOUR, 301)

    assert share_over(zone=france, start=LAST, end=LAST + HOUR, now=NOW).quality == "metered"
    assert share_over(zone=france, start=LAST, end=NOW, now=NOW).quality == "forecast"


def test_a_run_without_length_is_refused(ningxia):
    with pytest.raises(ValueError, match="must end after it starts"):
        share_over(zone=ningxia, start=NOW, end=NOW, now=NOW)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(moments, moments)
def test_the_parts_of_a_run_sum_to_its_length_and_none_exceeds_an_hour(one, other):
    start, end = sorted([one, other])
    if start == end:
        end += timedelta(microseconds=1)

    parts = overlaps(start, end)

    assert sum(parts) == (end - start) // timedelta(microseconds=1)
    assert all(0 < part <= 3_600_000_000 for part in parts)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**9)), min_size=1, max_size=30)
)
def test_shares_are_rounded_down_and_intensities_up_by_less_than_one(hours):
    share, intensity, weights = zip(*hours, strict=True)
    count = len(hours)
    zone = ZoneHours(share, share, intensity, intensity, (False,) * count, (0,) * count)

    mean = mean_of(zone, weights)

    assert 0 <= Fraction(sum(w * v for v, w in zip(share, weights, strict=True)), sum(weights)) - mean.renewable_ppm < 1
    exact = Fraction(sum(w * v for v, w in zip(intensity, weights, strict=True)), sum(weights))
    assert 0 <= mean.lifecycle_mg - exact < 1
