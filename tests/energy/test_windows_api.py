"""Ranked starts over HTTP, for a zone or a site's zone; and hours that say who told them and whether they are late."""

from datetime import timedelta

import pytest

from marketplace.common.clock import hour_floor, rfc3339, utc_now
from marketplace.energy.models import GridHour, GridZone, MarginalHour, SignalFeed
from marketplace.energy.services import refresh_forecasts, refresh_sample_hours
from tests.market import make_site

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of these tests are counted apart."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "windows"}}


@pytest.fixture
def germany(db):
    refresh_sample_hours(now=utc_now())
    refresh_forecasts(zones=GridZone.objects.filter(code="DE"), now=utc_now())
    return GridZone.objects.get(code="DE")


def windows(client, **query):
    return client.get("/api/v1/energy/windows", query)


def test_starts_are_ranked_with_their_ranges_and_the_change_from_now(client, germany):
    answer = windows(client, zone="DE", hours=4)

    assert answer.status_code == 200
    body = answer.json()
    medians = [each["carbon_mg_per_kwh"]["p50"] for each in body["data"]]
    assert medians == sorted(medians)
    assert [each["rank"] for each in body["data"]] == list(range(1, 21))
    best = body["data"][0]
    assert best["carbon_mg_per_kwh"]["p10"] <= best["carbon_mg_per_kwh"]["p50"] <= best["carbon_mg_per_kwh"]["p90"]
    assert best["renewable_share_ppm"]["p10"] <= best["renewable_share_ppm"]["p90"] <= 1_000_000
    assert (best["quality"], best["sample"]) == ("sample", True)
    assert body["meta"]["count"] in {44, 45}
    assert body["has_more"] is True


def test_the_change_is_against_starting_now(client, germany):
    body = windows(client, zone="DE", hours=2, limit=100).json()

    at_once = [each for each in body["data"] if each["change_from_now"] == {"mg_per_kwh": 0, "percent": 0.0}]
    assert body["meta"]["as_of"] in {each["start"] for each in at_once}
    now = at_once[0]["carbon_mg_per_kwh"]["p50"]
    assert all(each["carbon_mg_per_kwh"]["p50"] - each["change_from_now"]["mg_per_kwh"] == now for each in body["data"])


def test_the_same_question_has_the_same_answer(client, germany):
    start = hour_floor(utc_now()) + 2 * HOUR
    query = {"zone": "DE", "hours": 3, "start__gte": rfc3339(start), "finish__lte": rfc3339(start + 12 * HOUR)}

    first, again = windows(client, **query).json(), windows(client, **query).json()

    assert [each["start"] for each in first["data"]] == [each["start"] for each in again["data"]]
    assert {each["start"] for each in first["data"]} == {rfc3339(start + n * HOUR) for n in range(10)}
    assert max(each["finish"] for each in first["data"]) == rfc3339(start + 12 * HOUR)


def test_a_start_in_the_past_means_now(client, germany):
    body = windows(client, zone="DE", hours=1, start__gte="2026-01-01T00:00Z", limit=100).json()

    assert min(each["start"] for each in body["data"]) >= rfc3339(hour_floor(utc_now()))


def test_a_site_stands_for_its_zone(client, germany):
    site = make_site(zone=germany)

    body = windows(client, site=site.public_id, hours=1).json()

    assert body["zone"] == "DE"


@pytest.mark.parametrize(
    "query",
    [
        {"hours": 4},
        {"zone": "DE", "site": "sit_x", "hours": 4},
        {"zone": "DE", "hours": 4, "finish__lte": "2026-01-01T00:00Z"},
        {"zone": "DE", "hours": 4, "finish__lte": "2099-01-01T00:00Z"},
        {"zone": "DE", "hours": 4, "start__gte": "2099-01-01T00:00Z"},
    ],
)
def test_a_question_that_makes_no_sense_is_an_invalid_parameter(client, germany, query):
    answer = windows(client, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize("query", [{"zone": "DE"}, {"zone": "DE", "hours": 0}, {"zone": "DE", "hours": 1, "day": 3}])
def test_a_field_that_is_wrong_is_named(client, germany, query):
    assert windows(client, **query).json()["code"] == "validation_failed"


def test_an_unknown_place_is_not_found_and_one_without_hours_says_so(client, germany):
    GridZone.objects.create(code="FR", name="France", country="FR")

    assert windows(client, zone="ATLANTIS", hours=1).status_code == 404
    assert windows(client, site="sit_unknown", hours=1).status_code == 404
    assert windows(client, zone="FR", hours=1).json()["facts"] == {"zone": "FR"}


def feed(zone, **facts):
    now = utc_now()
    return SignalFeed.objects.create(
        **{"zone": zone, "provider": "entsoe", "region": "10Y", "since": now, "next_try_at": now} | facts
    )


def test_a_late_source_is_shown_and_its_last_hours_stay(client, germany):
    until = hour_floor(utc_now()) - 9 * HOUR
    feed(germany, known_until=until, asked_until=until)

    zones = client.get("/api/v1/energy/zones?limit=100").json()["data"]
    hours = client.get("/api/v1/energy/hours?zone=DE&hours=2").json()

    assert {zone["id"]: zone["stale_since"] for zone in zones if zone["stale_since"]} == {"DE": rfc3339(until)}
    assert hours["meta"]["stale_since"] == windows(client, zone="DE", hours=1).json()["meta"]["stale_since"]
    assert hours["meta"]["stale_since"] == rfc3339(until)
    assert len(hours["data"]) == 2


def test_a_source_in_time_is_not_stale(client, germany):
    until = hour_floor(utc_now()) - HOUR
    feed(germany, known_until=until, asked_until=until, failures=3, last_error="entsoe answers 500")

    assert client.get("/api/v1/energy/hours?zone=DE").json()["meta"]["stale_since"] is None


def test_hours_say_who_told_them_with_the_notice_that_belongs_to_it(client, germany):
    last = hour_floor(utc_now()) - HOUR
    GridHour.objects.create(
        zone=germany, start=last, direct_mg_per_kwh=1, lifecycle_mg_per_kwh=2, renewable_ppm=3, carbon_free_ppm=4,
        source="entsoe", vintage="20261124T104000Z", published_at=utc_now(),
    )  # fmt: skip

    body = client.get("/api/v1/energy/hours", {"zone": "DE", "start": rfc3339(last - HOUR), "hours": 3}).json()

    told = [(hour["source"], hour["vintage"], hour["basis"]) for hour in body["data"]]
    assert told[:2] == [("sample", "2", "production"), ("entsoe", "20261124T104000Z", "production")]
    assert told[2] == (None, None, None)
    assert "ENTSO-E" in body["meta"]["notice"]
    assert body["data"][1]["carbon_mg_per_kwh"] == 2


def test_marginal_intensity_stands_apart_from_the_averages(client, germany):
    last = hour_floor(utc_now()) - HOUR
    for vintage, value in (("1", 453_592), ("2", 460_000)):
        MarginalHour.objects.create(
            zone=germany, start=last, marginal_mg_per_kwh=value, source="watttime", vintage=vintage,
            published_at=utc_now(),
        )  # fmt: skip
    query = {"zone": "DE", "start": rfc3339(last), "hours": 2}

    body = client.get("/api/v1/energy/hours", query).json()

    assert body["marginal"] == [
        {"object": "marginal_hour", "start": rfc3339(last), "marginal_mg_per_kwh": 460_000, "source": "watttime",
         "vintage": "2"}
    ]  # fmt: skip
    assert all("marginal" not in name for hour in body["data"] for name in hour)
    assert "WattTime" in body["meta"]["notice"]
