"""Standing orders over HTTP: placed once, shown with how they stand, paused, resumed and cancelled by their owner."""

import pytest

from marketplace.booking.models import Reservation, StandingOrder
from marketplace.common.clock import hour_floor, utc_now
from marketplace.ledger.models import Budget
from scheduler.standingorders import keep_orders
from tests.market import make_organization
from tests.search.shelf import make_shelf
from tests.search.test_offers_api import client_of

pytestmark = pytest.mark.django_db
BODY = {
    "units": 2, "where": {"accelerator": "H100", "price__lte": 400, "renewable_share__gte": 0.8}, "limit_minor": 10**7,
    "ahead_hours": 6, "block_hours": 3,
}  # fmt: skip


@pytest.fixture
def shelf():
    return make_shelf(hour_floor(utc_now()))


@pytest.fixture
def buyer():
    return make_organization()


@pytest.fixture
def client(buyer):
    return client_of(buyer, "reservations:write", "reservations:read", "wallet:write", "wallet:read")


def place(client, *, key="k", query="", **body):
    path = f"/api/v1/standing_orders{query}"
    return client.post(path, BODY | body, format="json", headers={"idempotency-key": key})


def show(client, order, path="standing_orders"):
    return client.get(f"/api/v1/{path}/{order}").json()


def test_an_order_is_placed_once_and_then_kept(client, shelf):
    made = place(client)
    again = place(client)

    assert (made.status_code, again.json()["id"], StandingOrder.objects.count()) == (201, made.json()["id"], 1)
    assert (made.json()["standing"], made.json()["where"]["accelerator"]) == (None, ["H100"])

    assert keep_orders(now=utc_now()) == 6
    told = show(client, made.json()["id"])
    assert (told["standing"], told["hours_kept"], told["short_of"]) == ("kept", 6, None)
    assert told["held_minor"] == sum(each.total_minor for each in Reservation.objects.get().contracts)
    assert told["limit_minor"] - told["held_minor"] == told["left_minor"]
    newest = told["decisions"][0]
    assert (newest["decision"], newest["facts"]["reservation"]) == ("bought", Reservation.objects.get().public_id)
    assert "goes on from" in newest["sentence"]


def test_what_is_not_kept_says_why_in_words(client, shelf):
    made = place(client, where=BODY["where"] | {"price__lte": 100})
    keep_orders(now=utc_now())

    told = show(client, made.json()["id"])

    assert (told["standing"], told["short_of"], told["kept_until"]) == ("not_kept", "price", None)
    assert "costs more than the order allows" in told["decisions"][0]["sentence"]


def test_a_rehearsal_places_nothing(client, shelf):
    tried = place(client, query="?dry_run=true")

    assert (tried.status_code, tried.json()["units"]) == (200, 2)
    assert not StandingOrder.objects.exists()
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"where": {"price__lte": 400}}, "/where/accelerator"),
        ({"where": {"accelerator": "H100"}}, "/where/price__lte"),
        ({"where": BODY["where"] | {"finish__lte": "2030-01-01T00:00:00Z"}}, "/where/finish__lte"),
        ({"where": BODY["where"] | {"units": 3}}, "/where/units"),
        ({"ahead_hours": 500}, "/ahead_hours"),
        ({"block_hours": 7}, "/block_hours"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"limit_minor": -1}, "/limit_minor"),
        ({"price": 3}, "/price"),
    ],
)
def test_a_body_that_cannot_be_is_refused_by_field(client, shelf, body, pointer):
    answer = place(client, **body)

    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])
    assert not StandingOrder.objects.exists()


def test_it_is_paused_resumed_and_cancelled(client, shelf):
    order = place(client).json()["id"]

    states = [
        client.post(f"/api/v1/standing_orders/{order}/{verb}").json()["state"] for verb in ("pause", "resume", "cancel")
    ]

    assert states == ["paused", "active", "cancelled"]
    assert client.post(f"/api/v1/standing_orders/{order}/resume").status_code == 409
    assert [each["decision"] for each in show(client, order)["decisions"]] == [
        "cancelled", "active", "paused", "active",
    ]  # fmt: skip


def test_its_cap_is_a_budget_that_changes_but_does_not_end_before_it(client, shelf):
    order = place(client).json()
    path = f"/api/v1/budgets/{order['budget']}"
    tag = {"If-Match": client.get(path).headers["ETag"]}

    raised = client.patch(path, {"limit_minor": 5}, format="json", headers=tag)
    tag = {"If-Match": raised.headers["ETag"]}

    assert (raised.json()["limit_minor"], raised.json()["standing_order"]) == (5, order["id"])
    assert show(client, order["id"])["limit_minor"] == 5
    assert client.delete(path, headers=tag).status_code == 409
    assert Budget.objects.get().ended_at is None


def test_a_strangers_order_is_as_if_it_were_not_there(client, shelf):
    order = place(client).json()["id"]
    stranger = client_of(make_organization(), "reservations:write", "reservations:read")

    assert stranger.get("/api/v1/standing_orders").json()["data"] == []
    assert stranger.get(f"/api/v1/standing_orders/{order}").status_code == 404
    assert stranger.post(f"/api/v1/standing_orders/{order}/cancel").status_code == 404
    assert StandingOrder.objects.get().state == "active"


def test_reading_needs_its_scope_and_writing_another(buyer, shelf):
    reader = client_of(buyer, "reservations:read")

    assert place(reader).status_code == 403
    assert reader.get("/api/v1/standing_orders").status_code == 200


@pytest.mark.parametrize("path", ["reservations", "confirm", "extend", "resize"])
def test_a_reservation_bought_through_a_key_counts_in_the_keys_budget(buyer, client, shelf, path):
    """As jobs do; a budget that is spent refuses it and nothing is bought."""
    quote = client.post("/api/v1/quotes", {"units": 1, "hours": 1}, format="json").json()

    def post(where, body, key):
        return client.post(f"/api/v1/{where}", body, format="json", headers={"idempotency-key": key})

    def cap(limit):
        key = buyer.api_keys.get().public_id
        return client.post("/api/v1/budgets", {"limit_minor": limit, "api_key": key}, format="json")

    if path == "reservations":
        cap(0)
        answer = post("reservations", {"quote": quote["id"]}, "1")
    else:
        held = post("reservations", {"quote": quote["id"], "confirm": path != "confirm"}, "1").json()["id"]
        cap(0)
        body = {"extend": {"hours": 1}, "resize": {"units": 2}, "confirm": {}}[path]
        answer = post(f"reservations/{held}/{path}", body, "2")

    assert (answer.status_code, answer.json()["code"]) == (403, "budget_exceeded")
