"""Zones, hours and forecasts over HTTP, open to everybody and labelled."""

from datetime import timedelta

import pytest

from marketplace.common.clock import hour_floor, rfc3339, utc_now
from marketplace.energy.models import GridZone
from marketplace.energy.services import refresh_forecasts, refresh_sample_hours

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of these tests are counted apart."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "energy"}}


@pytest.fixture
def grid(db):
    refresh_sample_hours(now=utc_now())


def test_anybody_may_list_the_zones(client, grid):
    answer = client.get("/api/v1/energy/zones?limit=100")

    assert answer.status_code == 200
    zones = {zone["id"]: zone for zone in answer.json()["data"]}
    assert zones["CN-NX"]["name_zh"] == "宁夏"
    assert zones["CN-NX"]["market_boundary"] == "China"
    assert all(zone["sample"] for zone in zones.values())


def test_zones_come_in_pages_by_code(client, grid):
    first = client.get("/api/v1/energy/zones?limit=5").json()
    rest = client.get(f"/api/v1/energy/zones?limit=50&starting_after={first['next_cursor']}").json()

    codes = [zone["id"] for zone in first["data"] + rest["data"]]
    assert codes == sorted(codes) == list(GridZone.objects.values_list("code", flat=True))


def test_hours_tell_what_is_known_and_what_is_forecast(client, grid):
    start = hour_floor(utc_now()) - 2 * HOUR

    body = client.get("/api/v1/energy/hours", {"zone": "DE", "start": rfc3339(start), "hours": 12}).json()

    assert [hour["start"] for hour in body["data"]] == [rfc3339(start + n * HOUR) for n in range(12)]
    assert body["data"][0]["forecast"] is False
    assert body["data"][11]["forecast"] is True
    assert {(hour["quality"], hour["sample"]) for hour in body["data"]} == {("sample", True)}
    assert all(hour["renewable_share_ppm"] <= hour["carbon_free_share_ppm"] for hour in body["data"])


def test_hours_may_be_asked_for_by_their_end(client, grid):
    start = hour_floor(utc_now())

    body = client.get(
        "/api/v1/energy/hours", {"zone": "DE", "start": rfc3339(start), "end": rfc3339(start + 5 * HOUR)}
    ).json()

    assert len(body["data"]) == 5


@pytest.mark.parametrize("ahead", [False, True])
def test_forecasts_carry_their_range_stored_or_not(client, grid, ahead):
    if ahead:
        refresh_forecasts(zones=GridZone.objects.filter(code="DE"), now=utc_now())

    body = client.get("/api/v1/energy/forecasts?zone=DE").json()

    assert [row["signal"] for row in body["data"]] == ["renewable", "carbon_free", "lifecycle", "direct"]
    for row in body["data"]:
        assert len(row["p10"]) == len(row["p50"]) == len(row["p90"]) == 336
        assert row["sample"] is True


def test_one_signal_may_be_asked_for(client, grid):
    body = client.get("/api/v1/energy/forecasts?zone=DE&signal=lifecycle").json()

    assert [(row["signal"], row["unit"]) for row in body["data"]] == [("lifecycle", "mg_per_kwh")]


@pytest.mark.parametrize("path", ["hours", "forecasts"])
def test_an_unknown_zone_is_not_found(client, grid, path):
    answer = client.get(f"/api/v1/energy/{path}?zone=ATLANTIS")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["hours", "forecasts"])
def test_a_zone_without_hours_says_that_they_are_missing(client, db, path):
    GridZone.objects.create(code="FR", name="France", country="FR")

    answer = client.get(f"/api/v1/energy/{path}?zone=FR")

    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["facts"]) == ("unavailable", {"zone": "FR"})


@pytest.mark.parametrize(
    "query",
    [
        {"hours": "4", "end": "2026-01-01T00:00Z"},
        {"start": "2026-01-02T00:00Z", "end": "2026-01-01T00:00Z"},
        {"start": "2099-01-01T00:00Z"},
        {"start": "2026-01-01T00:00Z", "end": "2026-03-01T00:00Z"},
    ],
)
def test_a_span_that_makes_no_sense_is_an_invalid_parameter(client, grid, query):
    answer = client.get("/api/v1/energy/hours", {"zone": "DE", **query})

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameter"
