"""Stored forecasts are judged once the hours of a day are known, beside what yesterday would have said."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.energy.copying import HourRow, copy_hours
from marketplace.energy.models import ForecastScore, GridForecast, GridHour, GridZone
from marketplace.energy.services import record_scores, refresh_forecasts
from marketplace.energy.tasks import score_forecasts
from tests.energy.conftest import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY = MONDAY + DAY


@pytest.fixture
def france(db) -> GridZone:
    return GridZone.objects.create(code="FR", name="France", country="FR")


def publish(zone: GridZone, start: datetime, grams: list[int], *, vintage: str = "1") -> None:
    """Hours from `start` on whose intensities are `grams` in mg/kWh and whose shares never change."""
    copy_hours(
        HourRow(zone.pk, start + n * HOUR, each, each, None, 300_000, 400_000, "x", vintage, False, NOW)
        for n, each in enumerate(grams)
    )


def foresee(
    zone: GridZone, origin: datetime, value: int, *, signal: str = "lifecycle", hours: int = 336, **more
) -> None:
    """A forecast of always the same, give or take 10."""
    bands = {name: [value + off] * hours for name, off in (("p10", -10), ("p50", 0), ("p90", 10))}
    GridForecast.objects.create(
        zone=zone, signal=signal, origin=origin, **{"method": "blend", "vintage": "x:1"} | bands | more
    )


def lifecycle_scores() -> list[tuple[date, int, int, int, int]]:
    rows = ForecastScore.objects.filter(signal="lifecycle").order_by("day")
    return list(rows.values_list("day", "mae", "naive_mae", "inside_ppm", "hours"))


def test_a_day_is_scored_by_its_error_yesterdays_and_the_part_inside_the_range(france):
    publish(france, MONDAY - DAY, [500] * 24 + [410] * 18 + [440] * 6)
    foresee(france, MONDAY, 400)

    assert record_scores(zones=[france], now=TUESDAY) == 1

    yesterday = (18 * 90 + 6 * 60 + 12) // 24
    assert lifecycle_scores() == [(MONDAY.date(), (18 * 10 + 6 * 40 + 12) // 24, yesterday, 750_000, 24)]


def test_each_hour_counts_for_every_forecast_that_foresaw_it_within_a_day(france):
    """The one of Sunday 18:00 reaches to Monday 18:00, the one of Monday 12:00 from there to midnight."""
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY - 6 * HOUR, 430)
    foresee(france, MONDAY + 12 * HOUR, 460)
    foresee(france, MONDAY - DAY, 999)  # its 24 hours are Sunday's

    record_scores(zones=[france], now=TUESDAY)

    assert lifecycle_scores() == [(MONDAY.date(), (18 * 30 + 12 * 60) // 30, 0, 0, 30)]


def test_methods_and_signals_are_scored_apart(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)
    foresee(france, MONDAY, 450, method="other")
    foresee(france, MONDAY, 330_000, signal="renewable")

    record_scores(zones=[france], now=TUESDAY)

    found = ForecastScore.objects.order_by("signal", "method").values_list("signal", "method", "mae")
    assert list(found) == [("lifecycle", "blend", 0), ("lifecycle", "other", 50), ("renewable", "blend", 30_000)]


def test_a_forecast_shorter_than_a_day_is_judged_by_what_it_said(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 401, hours=5)

    record_scores(zones=[france], now=TUESDAY)

    assert lifecycle_scores() == [(MONDAY.date(), 1, 0, 1_000_000, 5)]


def test_a_day_waits_for_its_last_hour(france):
    publish(france, MONDAY - DAY, [400] * 47)
    foresee(france, MONDAY, 400)

    assert record_scores(zones=[france], now=TUESDAY + HOUR) == 0
    publish(france, MONDAY + 23 * HOUR, [400])
    assert record_scores(zones=[france], now=TUESDAY + HOUR) == 1


def test_a_day_that_is_not_over_is_not_judged(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)

    assert record_scores(zones=[france], now=TUESDAY - HOUR) == 0


def test_without_yesterday_there_is_nothing_to_compare_with(france):
    publish(france, MONDAY, [400] * 24)
    foresee(france, MONDAY, 400)

    assert record_scores(zones=[france], now=TUESDAY) == 0


def test_a_day_that_nobody_foresaw_has_no_score(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY - 2 * DAY, 400)

    assert record_scores(zones=[france], now=TUESDAY) == 0


def test_a_day_whose_hours_come_weeks_later_is_not_scored_any_more(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)

    assert record_scores(zones=[france], now=TUESDAY + 14 * DAY) == 0
    assert record_scores(zones=[france], now=TUESDAY + 13 * DAY) == 1


def test_the_latest_vintage_is_what_came(france):
    publish(france, MONDAY - DAY, [400] * 48)
    publish(france, MONDAY - DAY, [405] * 48, vintage="2")
    foresee(france, MONDAY, 400)

    record_scores(zones=[france], now=TUESDAY)

    assert lifecycle_scores() == [(MONDAY.date(), 5, 0, 1_000_000, 24)]


def test_a_day_is_scored_once_however_often_it_is_asked_for(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)

    assert [record_scores(zones=[france], now=TUESDAY) for _ in range(2)] == [1, 0]


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_score_each_day_once(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)

    def score(_: int) -> int:
        try:
            return record_scores(zones=[france], now=TUESDAY)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(score, range(4)))

    assert sorted(written) == [0, 0, 0, 1]


def test_what_the_market_stored_is_scored_for_every_signal(zones, ningxia):
    """Forecasts of the sample grid, made every six hours from Sunday noon on."""
    for n in range(6):
        refresh_forecasts(zones=[ningxia], now=MONDAY - 12 * HOUR + 6 * n * HOUR)

    assert record_scores(zones=zones, now=NOW) == 4 + 4  # of Sunday and Monday

    monday = ForecastScore.objects.get(zone=ningxia, signal="lifecycle", day=MONDAY.date())
    grams = dict(ningxia.hours.values_list("start", "lifecycle_mg_per_kwh"))
    off, naive, inside = [], [], []
    for row in GridForecast.objects.filter(signal="lifecycle"):
        for n in range(24):
            at = row.origin + n * HOUR
            if MONDAY <= at < TUESDAY:
                off.append(abs(row.p50[n] - grams[at]))
                naive.append(abs(grams[at - DAY] - grams[at]))
                inside.append(row.p10[n] <= grams[at] <= row.p90[n])
    assert monday.hours == len(off) == 12 + 18 + 24 + 18 + 12 + 6
    assert monday.mae == round(sum(off) / len(off))
    assert monday.naive_mae == round(sum(naive) / len(naive))
    assert monday.inside_ppm == sum(inside) * 1_000_000 // len(inside)


@pytest.mark.django_db
def test_the_periodic_task_may_run_twice_and_with_nothing_to_judge():
    score_forecasts()
    score_forecasts()

    assert not ForecastScore.objects.exists()


def test_a_score_is_never_changed(france):
    publish(france, MONDAY - DAY, [400] * 48)
    foresee(france, MONDAY, 400)
    record_scores(zones=[france], now=TUESDAY)
    score = ForecastScore.objects.get()

    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        ForecastScore.objects.update(mae=1)
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        score.delete()
    assert ForecastScore.objects.get().mae == 0
    assert GridHour.objects.count() == 48


WRONG = [
    ({"signal": "marginal"}, "forecast_score_signal_known"),
    ({"inside_ppm": 1_000_001}, "forecast_score_inside_is_a_share"),
    ({"hours": 0}, "forecast_score_of_some_hours"),
    ({"mae": -1}, "mae_check"),
    ({}, "forecast_score_once_per_day"),
]


@pytest.mark.parametrize(("wrong", "constraint"), WRONG)
def test_the_database_refuses_an_impossible_score(france, wrong, constraint):
    right = {
        "zone": france, "signal": "direct", "day": MONDAY.date(), "method": "blend",
        "mae": 1, "naive_mae": 1, "inside_ppm": 1, "hours": 1,
    }  # fmt: skip
    ForecastScore.objects.create(**right)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ForecastScore.objects.create(**right | wrong)
