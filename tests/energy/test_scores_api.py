"""How good a zone's forecasts were, over HTTP: the last thirty days, weighed by the hours that were judged."""

from datetime import timedelta

import pytest

from marketplace.common.clock import utc_now
from marketplace.energy.models import ForecastScore, GridZone

PATH = "/api/v1/energy/forecasts/scores"


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of these tests are counted apart."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "scores"}}


@pytest.fixture
def germany(db) -> GridZone:
    return GridZone.objects.create(code="DE", name="Germany", country="DE", sample=True)


def score(zone: GridZone, days_ago: int, **values) -> None:
    day = utc_now().date() - timedelta(days=days_ago)
    usual = {"signal": "lifecycle", "method": "blend", "mae": 30, "naive_mae": 40, "inside_ppm": 800_000, "hours": 100}
    ForecastScore.objects.create(zone=zone, day=day, **usual | values)


def test_scores_are_means_over_the_hours_that_were_judged(client, germany):
    score(germany, 1)
    score(germany, 2, mae=60, naive_mae=50, inside_ppm=700_000, hours=300)

    body = client.get(PATH, {"zone": "DE"}).json()

    assert body["data"] == [
        {
            "object": "forecast_score", "zone": "DE", "signal": "lifecycle", "unit": "mg_per_kwh", "method": "blend",
            "sample": True, "days": 2, "hours": 400, "mae": 53, "naive_mae": 48, "mase_ppm": 1_105_263,
            "inside_ppm": 725_000,
        }
    ]  # fmt: skip


def test_only_the_last_thirty_days_count(client, germany):
    today = utc_now().date()
    score(germany, 30)
    score(germany, 31, mae=9_999)

    body = client.get(PATH, {"zone": "DE"}).json()

    assert [(row["days"], row["mae"]) for row in body["data"]] == [(1, 30)]
    assert body["meta"]["first_day"] <= (today - timedelta(days=29)).isoformat()
    assert body["meta"]["end_day"] >= today.isoformat()


def test_each_signal_has_its_unit_and_its_own_figures(client, germany):
    score(germany, 1, signal="renewable", mae=20_000)
    score(germany, 1, signal="direct")

    data = client.get(PATH, {"zone": "DE"}).json()["data"]

    assert [(row["signal"], row["unit"], row["mae"]) for row in data] == [
        ("direct", "mg_per_kwh", 30),
        ("renewable", "ppm", 20_000),
    ]


def test_where_yesterday_was_never_wrong_there_is_no_ratio(client, germany):
    score(germany, 1, naive_mae=0)

    assert client.get(PATH, {"zone": "DE"}).json()["data"][0]["mase_ppm"] is None


def test_a_zone_whose_days_are_not_judged_yet_has_an_empty_list(client, germany):
    body = client.get(PATH, {"zone": "DE"}).json()

    assert (body["data"], body["meta"]["count"]) == ([], 0)


def test_an_unknown_zone_is_not_found(client, db):
    answer = client.get(PATH, {"zone": "ATLANTIS"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_zone_must_be_named(client, db):
    assert client.get(PATH).json()["code"] == "validation_failed"
