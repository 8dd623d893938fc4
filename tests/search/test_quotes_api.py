"""Quotes and reservations over HTTP: what is asked is kept, hours that are gone come with the next quote."""

from datetime import timedelta

import pytest

from accounts.models import Role
from marketplace.booking.models import CapacityDay, Quote, Reservation
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from scheduler.quoting import make_quote, need_again
from tests.market import make_offer, make_organization
from tests.search.shelf import make_shelf
from tests.search.test_offers_api import client_of, get, signed_in

pytestmark = pytest.mark.django_db
SCOPES = ("reservations:write", "reservations:read")


@pytest.fixture
def shelf():
    return make_shelf(hour_floor(utc_now()))


@pytest.fixture
def client():
    return client_of(make_organization("Buyer"), *SCOPES)


def ask(client, query="", **body):
    return client.post(f"/api/v1/quotes{query}", {"units": 2, "hours": 3, **body}, format="json")


def reserve(client, quote, key="k", query="", **body):
    body = {"quote": quote["id"]} | body
    return client.post(f"/api/v1/reservations{query}", body, format="json", headers={"idempotency-key": key})


def names(shelf, quote):
    known = {offer.public_id: name for name, offer in shelf.items()}
    return {known[option["offer"]["id"]] for option in quote["options"]}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"renewable_share__gte": 0.8}, {"green"}),
        ({"carbon_free_share__gte": "0.9", "accelerator": "A100"}, {"edge"}),
        ({"residency": ["NO", "PL"]}, {"green", "grey"}),
        ({"region": ["eu-north"], "near": "berlin", "latency_ms__lte": 40}, {"green"}),
        ({"q": "grey"}, {"grey"}),
        ({"price__lte": 200, "tier": "firm", "accelerator": ["H100"]}, {"grey"}),
    ],
)
def test_every_kind_of_filter_can_be_quoted_and_asked_again(shelf, client, where, found):
    made = ask(client, where=where)

    assert made.status_code == 201, made.content
    assert names(shelf, made.json()) == found
    stored = Quote.objects.get(public_id=made.json()["id"])
    again = make_quote(buyer=stored.buyer, need=need_again(stored.request, utc_now()), now=utc_now())
    assert names(shelf, {"options": again.options}) == found


def test_times_among_the_filters_bound_the_run(shelf, client):
    start = hour_floor(utc_now()) + timedelta(hours=10)

    made = ask(client, where={"start__gte": start.isoformat(), "accelerator": "H100"}).json()

    assert all(option["start"] >= start.isoformat().replace("+00:00", "Z") for option in made["options"])


@pytest.mark.parametrize("name", ["units", "hours", "w_price", "sort", "limit"])
def test_what_is_said_beside_the_filters_is_no_filter(shelf, client, name):
    answer = ask(client, where={name: 1})

    [problem] = answer.json()["errors"]
    assert (answer.status_code, problem["pointer"]) == (422, f"/where/{name}")


def test_a_buyer_is_quoted_in_their_own_currency_alone(shelf):
    buyer = make_organization("Buyer", currency="EUR")
    client = client_of(buyer, *SCOPES)

    nothing = ask(client, where={"accelerator": "H100"})
    euro = make_offer(shelf["near"].site, currency="EUR", now=utc_now())
    made = ask(client, where={"accelerator": "H100"}).json()
    dollars = ask(client, where={"currency": "USD"})

    assert (nothing.status_code, nothing.json()["facts"]["rejected"]["currency"]) == (422, 5)
    assert [option["offer"]["id"] for option in made["options"]] == [euro.public_id]
    assert made["currency"] == made["options"][0]["offer"]["currency"] == "EUR"
    assert [(each["pointer"], each["hint"]) for each in dollars.json()["errors"]] == [("/where/currency", "EUR")]


def take_away(offer_id):
    """Somebody else takes the rest of an offer's hours."""
    for day in CapacityDay.objects.filter(offer__public_id=offer_id):
        day.units_promised = day.units_total
        day.save()


def test_hours_that_are_gone_come_with_the_next_quote(shelf, client):
    quote = ask(client, where={"accelerator": "H100", "near": "berlin"}).json()
    gone = quote["options"][0]["offer"]["id"]
    take_away(gone)

    refused = reserve(client, quote)

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "capacity_taken")
    fresh = get(f"quotes/{problem['facts']['next_quote']}", client).json()
    assert gone not in {option["offer"]["id"] for option in fresh["options"]}
    assert fresh["request"]["where"] == quote["request"]["where"]
    assert not Reservation.objects.exists()
    assert reserve(client, fresh).json()["state"] == "confirmed"


def test_hours_that_nobody_else_has_come_without_another_quote(shelf, client):
    quote = ask(client, where={"accelerator": "A100"}).json()
    take_away(quote["options"][0]["offer"]["id"])

    refused = reserve(client, quote)

    assert (refused.status_code, refused.json()["code"]) == (409, "capacity_taken")
    assert "next_quote" not in refused.json()["facts"]
    assert Quote.objects.count() == 1


def test_an_offer_that_left_the_shelf_is_gone_too(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()
    Offer.objects.filter(public_id=quote["options"][0]["offer"]["id"]).update(state="paused")

    assert reserve(client, quote).json()["facts"]["next_quote"].startswith("qte_")


def test_a_reservation_is_made_once_however_often_it_is_sent(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()

    first, again = reserve(client, quote, key="one"), reserve(client, quote, key="one")
    keyless = client.post("/api/v1/reservations", {"quote": quote["id"]}, format="json")

    assert (first.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert first.json() == again.json()
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_required")
    assert Reservation.objects.count() == 1
    assert [each["id"] for each in get("reservations", client).json()["data"]] == [first.json()["id"]]


def test_a_reservation_can_be_held_without_being_confirmed(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()

    held = reserve(client, quote, option=2, confirm=False).json()

    assert (held["state"], held["offer"]["id"]) == ("held", quote["options"][1]["offer"]["id"])
    assert held["expires_at"] == quote["expires_at"]
    assert held["total_minor"] == quote["options"][1]["total_minor"]


def test_another_buyer_s_quote_is_not_there(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()

    assert reserve(client_of(make_organization(), *SCOPES), quote).status_code == 404
    assert not Reservation.objects.exists()


def test_a_rehearsal_answers_in_full_and_stores_nothing(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()
    before = Quote.objects.count()

    tried = reserve(client, quote, query="?dry_run=true")
    asked = ask(client, "?dry_run=true", where={"accelerator": "H100"}, hold=True)

    assert (tried.status_code, tried.json()["state"], tried.json()["total_minor"]) == (
        200, "confirmed", quote["options"][0]["total_minor"],
    )  # fmt: skip
    assert (asked.status_code, len(asked.json()["options"])) == (200, 4)
    assert asked.json()["reservation"].startswith("rsv_")
    assert not Reservation.objects.exists()
    assert Quote.objects.count() == before
    assert not CapacityDay.objects.exclude(units_promised=[0] * 24).exists()


def test_a_rehearsal_of_hours_that_are_gone_names_no_quote_that_it_did_not_keep(shelf, client):
    quote = ask(client, where={"accelerator": "H100"}).json()
    take_away(quote["options"][0]["offer"]["id"])

    refused = reserve(client, quote, query="?dry_run=true")

    assert (refused.status_code, "next_quote" in refused.json()["facts"]) == (409, False)
    assert Quote.objects.count() == 1


def test_a_provider_tries_out_a_change_of_an_offer(shelf):
    offer = shelf["near"]
    seller = signed_in(offer.site.provider, Role.PROVIDER)

    tried = seller.post(f"/api/v1/offers/{offer.public_id}/pause?dry_run=true", headers={"if-match": '"1"'})

    assert (tried.status_code, tried.json()["state"]) == (200, "paused")
    assert Offer.objects.get(pk=offer.pk).state == "live"


def test_a_start_that_has_passed_is_chosen_anew(shelf):
    now = hour_floor(utc_now())
    stored = {
        "units": 1, "hours": 2, "where": {}, "weights": {"price": 40, "latency": 20, "green": 40}, "when": "now",
        "start": now.isoformat(), "start_after": None, "finish_by": None,
    }  # fmt: skip

    assert need_again(stored, now - timedelta(hours=1)).start == now
    assert need_again(stored, now + timedelta(hours=1)).start is None
