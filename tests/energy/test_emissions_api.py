"""The Carbon Aware SDK's addresses: its names and units exactly, our problems, and nothing is ever changed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from marketplace.common.clock import hour_floor, rfc3339, utc_now
from marketplace.energy.api import emissions
from marketplace.energy.copying import copy_hours
from marketplace.energy.models import ForecastSignal, GridForecast, GridHour, GridZone
from tests.energy.test_windows import row
from tests.market import make_site

HOUR = timedelta(hours=1)
ROOT = "/api/v1/energy/emissions/"
PAST = datetime(2026, 3, 1, tzinfo=UTC)
POINT = {"location", "timestamp", "duration", "value"}
FORECAST = {
    "requestedAt", "location", "dataStartAt", "dataEndAt", "windowSize", "generatedAt", "optimalDataPoints",
    "forecastData",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of these tests are counted apart."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "sdk"}}


@pytest.fixture
def at_four(monkeypatch):
    """It is shortly after the forecast was made."""
    monkeypatch.setattr(emissions, "moment_of", lambda request: PAST + 4 * HOUR + timedelta(minutes=10))


@pytest.fixture
def zones(db):
    """Two zones with four past hours each, and the forecast of one that was made after them."""
    germany, france = (GridZone.objects.create(code=code, name=code, country=code) for code in ("DE", "FR"))
    for zone, values in ((germany, (400_000, 350_500, 300_000, 380_000)), (france, (60_000, 300_000, 50_001, 50_001))):
        copy_hours(row(zone, PAST + n * HOUR, lifecycle_mg=value) for n, value in enumerate(values))
    middle = [300_000, 200_000, 200_000, 400_000, 100_001, 299_999]
    GridForecast.objects.create(
        zone=germany, signal=ForecastSignal.LIFECYCLE, origin=PAST + 4 * HOUR, method="blend", vintage="a",
        p10=[0] * 6, p50=middle, p90=middle,
    )  # fmt: skip
    return germany, france


def get(client, name, **query):
    return client.get(ROOT + name, query)


def post(client, name, body):
    return client.post(ROOT + name, json.dumps(body), content_type="application/json")


def test_a_place_tells_its_observed_hours_in_grams(client, zones):
    answer = get(client, "bylocation", location="DE", time=rfc3339(PAST), toTime=rfc3339(PAST + 2 * HOUR))

    assert answer.json() == [
        {"location": "DE", "time": "2026-03-01T00:00:00Z", "rating": 400.0, "duration": "01:00:00"},
        {"location": "DE", "time": "2026-03-01T01:00:00Z", "rating": 350.5, "duration": "01:00:00"},
    ]
    assert answer["Joulemart-Quality"] == "metered"


def test_a_moment_within_an_hour_is_told_by_that_hour(client, zones):
    at = rfc3339(PAST + timedelta(minutes=90))

    (only,) = get(client, "bylocation", location="DE", time=at, toTime=at).json()

    assert only["rating"] == 350.5


def test_a_date_alone_is_midnight_utc(client, zones):
    assert len(get(client, "bylocation", location="DE", time="2026-03-01", toTime="2026-03-02").json()) == 4


def test_without_a_time_the_last_day_is_told_up_to_the_hour_that_has_ended(client, zones):
    last = hour_floor(utc_now()) - HOUR
    copy_hours(row(zones[0], last - n * HOUR) for n in range(30))

    told = get(client, "bylocation", location="DE").json()

    assert len(told) in {24, 25}
    assert told[-1]["time"] in {rfc3339(last), rfc3339(last + HOUR)}


def test_nothing_to_tell_is_no_content(client, zones):
    answer = get(client, "bylocation", location="DE", time="2020-01-01", toTime="2020-01-02")

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("name", ["location", "locations"])
def test_several_places_are_told_one_after_the_other(client, zones, name):
    told = get(client, "bylocations", **{name: ["FR", "DE"]}, time="2026-03-01", toTime="2026-03-02").json()

    assert [each["location"] for each in told] == ["FR"] * 4 + ["DE"] * 4


def test_the_best_are_all_hours_with_the_lowest_rating(client, zones):
    told = get(client, "bylocations/best", location=["DE", "FR"], time="2026-03-01", toTime="2026-03-02").json()

    assert [(each["location"], each["time"], each["rating"]) for each in told] == [
        ("FR", "2026-03-01T02:00:00Z", 50.001),
        ("FR", "2026-03-01T03:00:00Z", 50.001),
    ]


def test_a_revision_is_told_once_with_its_latest_value(client, zones):
    copy_hours([row(zones[0], PAST, vintage="b", lifecycle_mg=1_000, published_at=PAST + 9 * HOUR)])

    told = get(client, "bylocation", location="DE", time="2026-03-01", toTime="2026-03-02").json()

    assert [each["rating"] for each in told] == [1.0, 350.5, 300.0, 380.0]


def test_a_site_is_a_location_too_and_keeps_its_name(client, zones):
    site = make_site(zone=zones[1])

    told = get(client, "bylocation", location=site.public_id, time="2026-03-01", toTime="2026-03-02").json()

    assert {(each["location"], each["rating"]) for each in told[:1]} == {(site.public_id, 60.0)}


def test_invented_hours_are_labelled_without_a_field_of_their_own(client, zones):
    copy_hours([row(zones[0], PAST + 4 * HOUR, source="sample")])

    answer = get(client, "bylocation", location="DE", time="2026-03-01", toTime="2026-03-02")

    assert answer["Joulemart-Quality"] == "sample"
    assert set(answer.json()[4]) == {"location", "time", "rating", "duration"}


def test_the_present_forecast_slides_a_window_and_names_the_best(client, zones, at_four):
    answer = get(client, "forecasts/current", location="DE", windowSize=120)

    (told,) = answer.json()
    assert set(told) == FORECAST
    assert (told["generatedAt"], told["windowSize"]) == ("2026-03-01T04:00:00Z", 120)
    assert (told["dataStartAt"], told["dataEndAt"]) == ("2026-03-01T04:00:00Z", "2026-03-01T10:00:00Z")
    assert [point["value"] for point in told["forecastData"]] == [250.0, 200.0, 300.0, 250.001, 200.0]
    assert [point["timestamp"] for point in told["optimalDataPoints"]] == [
        "2026-03-01T05:00:00Z", "2026-03-01T08:00:00Z",
    ]  # fmt: skip
    assert all(set(point) == POINT for point in told["forecastData"] + told["optimalDataPoints"])
    assert answer["Joulemart-Quality"] == "forecast"


def test_a_forecast_may_be_narrowed_to_a_part_and_the_window_to_minutes(client, zones, at_four):
    (told,) = get(
        client, "forecasts/current", location="DE", dataStartAt="2026-03-01T04:30:00Z",
        dataEndAt="2026-03-01T07:00:00Z", windowSize=60,
    ).json()  # fmt: skip

    assert [(point["timestamp"][11:16], point["value"]) for point in told["forecastData"]] == [
        ("04:30", 250.0), ("05:00", 200.0), ("06:00", 200.0),
    ]  # fmt: skip


def test_hours_that_have_ended_are_no_part_of_the_present_forecast(client, zones, monkeypatch):
    monkeypatch.setattr(emissions, "moment_of", lambda request: PAST + 8 * HOUR + timedelta(minutes=10))

    (told,) = get(client, "forecasts/current", location="DE").json()

    assert (told["generatedAt"], told["dataStartAt"]) == ("2026-03-01T04:00:00Z", "2026-03-01T08:00:00Z")
    assert [point["value"] for point in told["forecastData"]] == [100.001, 299.999]


def test_a_forecast_that_lies_in_the_past_is_none(client, zones):
    assert get(client, "forecasts/current", location="DE").json()["code"] == "unavailable"


def test_a_window_longer_than_the_data_leaves_no_points(client, zones, at_four):
    (told,) = get(client, "forecasts/current", location="DE", windowSize=600).json()

    assert (told["forecastData"], told["optimalDataPoints"]) == ([], [])


def test_past_forecasts_are_those_that_stood_then(client, zones):
    GridForecast.objects.create(
        zone=zones[0], signal=ForecastSignal.LIFECYCLE, origin=PAST + 5 * HOUR, method="blend", vintage="a",
        p10=[0], p50=[7_000], p90=[9_000],
    )  # fmt: skip
    asks = [{"location": "DE", "requestedAt": rfc3339(PAST + n * HOUR)} for n in (4, 5)]

    told = post(client, "forecasts/batch", asks).json()

    assert [(each["requestedAt"], each["generatedAt"], len(each["forecastData"])) for each in told] == [
        ("2026-03-01T04:00:00Z", "2026-03-01T04:00:00Z", 6),
        ("2026-03-01T05:00:00Z", "2026-03-01T05:00:00Z", 1),
    ]


def test_an_average_weighs_each_hour_by_its_part(client, zones):
    answer = get(
        client, "average-carbon-intensity", location="DE", startTime="2026-03-01T00:30:00Z",
        endTime="2026-03-01T02:00:00Z",
    )  # fmt: skip

    assert answer.json() == {
        "location": "DE", "startTime": "2026-03-01T00:30:00Z", "endTime": "2026-03-01T02:00:00Z",
        "carbonIntensity": 367.0,
    }  # fmt: skip


def test_averages_come_in_batches_in_their_order(client, zones):
    asks = [
        {"location": code, "startTime": rfc3339(PAST), "endTime": rfc3339(PAST + HOUR)} for code in ("FR", "DE", "FR")
    ]

    told = post(client, "average-carbon-intensity/batch", asks).json()

    assert [(each["location"], each["carbonIntensity"]) for each in told] == [("FR", 60.0), ("DE", 400.0), ("FR", 60.0)]


WRONG_GETS = [
    ("bylocation", {}, 422),
    ("bylocation", {"location": "DE", "speed": "1"}, 422),
    ("bylocation", {"location": "DE", "time": "yesterday"}, 422),
    ("bylocation", {"location": "DE", "time": "2026-03-02", "toTime": "2026-03-01"}, 400),
    ("bylocation", {"location": "DE", "time": "2025-03-02", "toTime": "2026-03-01"}, 400),
    ("bylocation", {"location": "ATLANTIS"}, 404),
    ("bylocations", {}, 422),
    ("bylocations", {"location": ["DE"] * 11}, 422),
    ("bylocations/best", {"location": ["DE", "ATLANTIS"]}, 404),
    ("forecasts/current", {"location": "FR"}, 503),
    ("forecasts/current", {"location": "DE", "dataStartAt": "2020-01-01T00:00Z"}, 400),
    ("forecasts/current", {"location": "DE", "dataEndAt": "2099-01-01T00:00Z"}, 400),
    ("forecasts/current", {"location": "DE", "windowSize": 0}, 422),
    ("average-carbon-intensity", {"location": "DE"}, 422),
    ("average-carbon-intensity", {"location": "DE", "startTime": "2026-03-02", "endTime": "2026-03-01"}, 400),
    ("average-carbon-intensity", {"location": "DE", "startTime": "2026-03-01", "endTime": "2099-03-01"}, 400),
    ("average-carbon-intensity", {"location": "DE", "startTime": "2025-01-01", "endTime": "2026-03-01"}, 400),
]


@pytest.mark.parametrize(("name", "query", "status"), WRONG_GETS)
def test_a_question_that_cannot_be_answered_is_a_problem(client, zones, at_four, name, query, status):
    answer = get(client, name, **query)

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


ASK = {"location": "DE", "requestedAt": "2026-03-01T04:00:00Z"}
WRONG_POSTS = [
    ("forecasts/batch", {}, "validation_failed", ""),
    ("forecasts/batch", [], "validation_failed", ""),
    ("forecasts/batch", [ASK] * 51, "validation_failed", ""),
    ("forecasts/batch", [ASK, {"location": "DE"}], "validation_failed", "/1/requestedAt"),
    ("forecasts/batch", [ASK, 7], "validation_failed", "/1"),
    ("forecasts/batch", [ASK, ASK | {"requestedAt": "2099-01-01T00:00Z"}], "invalid_parameter", "/1/requestedAt"),
    ("average-carbon-intensity/batch", [{"location": "DE", "startTime": "2026-03-01", "endTime": "2026-03-01"}],
     "invalid_parameter", "/0/endTime"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "code", "pointer"), WRONG_POSTS)
def test_a_batch_with_one_fault_names_it_and_answers_nothing(client, zones, name, body, code, pointer):
    problem = post(client, name, body).json()

    assert (problem["code"], problem["errors"][0].get("pointer", "")) == (code, pointer)


def test_a_moment_before_any_forecast_is_not_found(client, zones):
    assert post(client, "forecasts/batch", [ASK | {"requestedAt": "2026-02-01T00:00Z"}]).status_code == 404


def test_questions_change_nothing(client, zones, at_four):
    before = (GridHour.objects.count(), GridForecast.objects.count(), GridZone.objects.count())

    post(client, "forecasts/batch", [ASK])
    post(client, "average-carbon-intensity/batch", [
        {"location": "DE", "startTime": "2026-03-01T00:00Z", "endTime": "2026-03-01T01:00Z"},
    ])  # fmt: skip
    get(client, "forecasts/current", location="DE")

    assert (GridHour.objects.count(), GridForecast.objects.count(), GridZone.objects.count()) == before
