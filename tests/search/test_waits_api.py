"""The waiting list over HTTP: joined once with a place and an expected start, served, left."""

from datetime import timedelta

import pytest

from marketplace.booking import services
from marketplace.booking.models import Quote, Reservation, Wait
from marketplace.common.clock import HOUR, hour_ceil, hour_floor, rfc3339, utc_now
from scheduler.waitinglist import serve_waiting
from tests.market import make_organization
from tests.search.shelf import make_shelf
from tests.search.test_offers_api import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    """Sold out for a day from the next hour on."""
    now = utc_now()
    found = make_shelf(hour_floor(now))["near"]
    held = services.hold_units(
        buyer=make_organization(), offer=found, units=found.units, start=now, end=hour_ceil(now) + 24 * HOUR, now=now
    )
    services.confirm(reservation=held, now=now)
    return found


@pytest.fixture
def buyer():
    return make_organization()


@pytest.fixture
def client(buyer):
    return client_of(buyer, "reservations:write", "reservations:read")


def join(client, offer, *, key="k", query="", **body):
    body = {
        "units": 2, "hours": 3, "offer": offer.public_id, "start_by": rfc3339(hour_ceil(utc_now()) + 5 * HOUR),
    } | body  # fmt: skip
    return client.post(f"/api/v1/waits{query}", body, format="json", headers={"idempotency-key": key})


def give_back():
    services.fail(reservation=Reservation.objects.with_terms().get(), now=utc_now(), reason="withdrawn")


def test_joining_tells_the_place_and_the_expected_start_and_happens_once(client, offer):
    made, again = join(client, offer), join(client, offer)

    told = made.json()
    assert (made.status_code, again.json()["id"], Wait.objects.count()) == (201, told["id"], 1)
    assert (told["outcome"], told["position"], told["in_time"]) == ("waiting", 1, False)
    assert told["expected_start"] == rfc3339(hour_ceil(utc_now()) + 24 * HOUR)
    assert told["where"] == {"offer": [offer.public_id]}
    assert join(client, offer, key="k2").json()["position"] == 2


def test_a_place_of_a_kind_of_hardware_is_joined_as_quotes_are_asked_for(client, offer):
    body = {"units": 2, "hours": 3, "where": {"accelerator": "H100", "residency": "DE"}}
    body["start_by"] = rfc3339(utc_now() + 2 * HOUR)
    made = client.post("/api/v1/waits", body, format="json", headers={"idempotency-key": "2"})

    assert (made.status_code, made.json()["position"]) == (201, 1)


def test_a_rehearsal_tells_the_place_and_takes_none(client, offer):
    tried = join(client, offer, query="?dry_run=true")

    assert (tried.status_code, tried.json()["position"]) == (200, 1)
    assert not Wait.objects.exists()


def test_what_is_offered_is_shown_with_the_time_to_answer_and_confirmed_as_usual(client, offer):
    wait = join(client, offer).json()["id"]
    give_back()
    serve_waiting(now=utc_now())

    told = client.get(f"/api/v1/waits/{wait}").json()
    assert (told["outcome"], told["position"], told["expected_start"]) == ("offered", None, None)
    assert told["answer_by"] > rfc3339(utc_now() + timedelta(minutes=9))

    path = f"/api/v1/reservations/{told['reservation']}/confirm"
    assert client.post(path, headers={"idempotency-key": "c"}).json()["state"] == "confirmed"
    assert client.get(f"/api/v1/waits/{wait}").json()["outcome"] == "reserved"
    assert [each["id"] for each in client.get("/api/v1/waits").json()["data"]] == [wait]


def test_an_offer_that_is_not_there_is_not_waited_for(client, offer):
    body = {"units": 1, "hours": 1, "offer": "ofr_none"}
    answer = client.post("/api/v1/waits", body, format="json", headers={"idempotency-key": "k"})

    assert answer.json()["code"] == "no_offer_fits"
    assert not Wait.objects.exists()


def test_hours_that_are_free_are_refused_with_the_offer(client, offer):
    give_back()

    answer = join(client, offer)

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")
    assert not Wait.objects.exists()
    assert not Quote.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"where": {"finish__lte": "2030-01-01T00:00:00Z"}}, "/where/finish__lte"),
        ({"where": {"units": 3}}, "/where/units"),
        ({"start_by": "2020-01-01T00:00:00Z"}, "/start_by"),
        ({"reserve": True}, "/where/price__lte"),
        ({"hours": 200}, "/hours"),
        ({"price": 3}, "/price"),
    ],
)
def test_a_body_that_cannot_be_is_refused_by_field(client, offer, body, pointer):
    answer = join(client, offer, **body)

    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])
    assert not Wait.objects.exists()


def test_a_place_is_left_once(client, offer):
    wait = join(client, offer).json()["id"]

    assert client.post(f"/api/v1/waits/{wait}/leave").json()["outcome"] == "left"
    assert client.post(f"/api/v1/waits/{wait}/leave").status_code == 409


def test_a_strangers_place_is_as_if_it_were_not_there(client, offer):
    wait = join(client, offer).json()["id"]
    stranger = client_of(make_organization(), "reservations:write", "reservations:read")

    assert stranger.get("/api/v1/waits").json()["data"] == []
    assert stranger.get(f"/api/v1/waits/{wait}").status_code == 404
    assert stranger.post(f"/api/v1/waits/{wait}/leave").status_code == 404
    assert Wait.objects.get().state == "waiting"


def test_joining_needs_the_scope_of_writing(buyer, offer):
    reader = client_of(buyer, "reservations:read")

    assert join(reader, offer).status_code == 403
    assert reader.get("/api/v1/waits").status_code == 200
