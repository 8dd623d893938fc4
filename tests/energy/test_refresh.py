"""Hours are published once each as they end, forecasts are stored beside them, and neither is ever changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from marketplace.energy.models import GridForecast, GridHour, GridZone, ImportFile
from marketplace.energy.services import (
    add_zone,
    forecast_zone,
    hours_of,
    refresh_forecasts,
    refresh_hours,
    refresh_sample_hours,
)
from marketplace.energy.signals.sample import MIXES, SampleProvider
from marketplace.energy.tasks import refresh_grid
from marketplace.energy.zones import BY_CODE
from tests.energy.conftest import NOW

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.django_db
def test_the_first_refresh_makes_the_zones_and_75_days_of_hours():
    written = refresh_sample_hours(now=NOW)

    assert written == GridHour.objects.count() == len(MIXES) * 75 * 24
    assert set(GridZone.objects.values_list("sample", flat=True)) == {True}
    assert set(GridHour.objects.values_list("source", flat=True)) == {"sample"}
    assert GridHour.objects.latest("start").start == datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_a_second_refresh_writes_only_what_has_ended_since(zones):
    sample = SampleProvider()

    assert refresh_hours(provider=sample, zones=zones, now=NOW) == 0
    assert refresh_hours(provider=sample, zones=zones, now=NOW + 2 * HOUR) == 2 * len(zones)


@pytest.mark.django_db
def test_a_zone_with_real_hours_of_its_own_gets_no_sample_hours():
    GridZone.objects.create(code="DE", name="Germany", country="DE", sample=False)

    refresh_sample_hours(now=NOW)

    assert not GridHour.objects.filter(zone__code="DE").exists()


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_write_each_hour_once():
    zone = GridZone.objects.create(code="SG", name="Singapore", country="SG", sample=True)

    def refresh(_: int) -> int:
        try:
            return refresh_hours(provider=SampleProvider(), zones=[zone], now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(refresh, range(4)))

    assert sorted(written) == [0, 0, 0, 1800]


def test_forecasts_are_stored_once_per_hour_with_their_range(zones):
    assert refresh_forecasts(zones=zones, now=NOW) == 4 * len(zones)
    assert refresh_forecasts(zones=zones, now=NOW) == 0

    for row in GridForecast.objects.all():
        assert row.origin == datetime(2026, 11, 24, 10, tzinfo=UTC)
        assert (row.method, row.vintage) == ("blend", "sample:2")
        assert len(row.p50) == 14 * 24
        assert all(low <= mid <= high for low, mid, high in zip(row.p10, row.p50, row.p90, strict=True))


def test_a_stored_forecast_says_what_the_search_uses(zones, ningxia):
    refresh_forecasts(zones=zones, now=NOW)

    hours = hours_of(zones=[ningxia], start=NOW, hours=48, now=NOW).zone(ningxia)

    stored = GridForecast.objects.latest_of(ningxia, "lifecycle", by=NOW)
    assert tuple(stored.p50[:48]) == hours.lifecycle_mg


def test_a_zone_with_a_short_history_is_passed_over(db):
    zone = GridZone.objects.create(code="SG", name="Singapore", country="SG", sample=True)

    assert forecast_zone(zone=zone, now=NOW) == []
    assert refresh_forecasts(zones=[zone], now=NOW) == 0


@pytest.mark.django_db
def test_the_periodic_task_may_run_twice():
    add_zone(known=BY_CODE["SG"], sample=True)
    refresh_grid()
    hours, forecasts = GridHour.objects.count(), GridForecast.objects.count()
    assert (hours, forecasts) == (len(MIXES) * 75 * 24, len(MIXES) * 4)

    refresh_grid()

    assert GridHour.objects.count() - hours in {0, len(MIXES)}  # an hour may have ended in between
    assert GridForecast.objects.count() - forecasts in {0, 4 * len(MIXES)}


@pytest.mark.django_db
def test_the_periodic_task_invents_nothing_without_a_sample_market():
    refresh_grid()

    assert not GridHour.objects.exists()


def test_the_record_is_append_only(zones):
    refresh_forecasts(zones=zones[:1], now=NOW)
    ImportFile.objects.create(kind="grid_hourly", sha256="0" * 64, state="imported", rows=0, imported_at=NOW)

    for model in (GridHour, GridForecast, ImportFile):
        row = model.objects.earliest("pk")
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            model.objects.filter(pk=row.pk).update(id=row.pk)
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            row.delete()


WRONG = [
    ({"renewable_ppm": 600_001}, "grid_hour_shares_ordered"),
    ({"carbon_free_ppm": 1_000_001}, "grid_hour_shares_ordered"),
    ({"lifecycle_mg_per_kwh": -1}, "lifecycle_mg_per_kwh_check"),
    ({"renewable_ppm": -1}, "renewable_ppm_check"),
    ({"start": MIDNIGHT + timedelta(minutes=30)}, "grid_hour_starts_on_the_hour"),
    ({"start": MIDNIGHT + timedelta(microseconds=1)}, "grid_hour_starts_on_the_hour"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("wrong", "constraint"), WRONG)
def test_the_database_refuses_an_impossible_hour(wrong, constraint):
    zone = GridZone.objects.create(code="SG", name="Singapore", country="SG")
    right = {
        "zone": zone, "start": MIDNIGHT, "direct_mg_per_kwh": 1, "lifecycle_mg_per_kwh": 1, "renewable_ppm": 500_000,
        "carbon_free_ppm": 600_000, "source": "x", "vintage": "1", "published_at": NOW,
    }  # fmt: skip
    GridHour.objects.create(**right)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        GridHour.objects.create(**right | {"vintage": "2"} | wrong)
    with pytest.raises(IntegrityError, match="grid_hour_once_per_vintage"), transaction.atomic():
        GridHour.objects.create(**right)
