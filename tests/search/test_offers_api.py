"""The shelf over HTTP: shapes, order, pages of a list, and what a provider may do to an offer."""

import re
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import Membership, Organization, Role
from marketplace.booking.models import Reservation
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from scheduler.search import search
from tests.market import key_of, make_hardware, make_member, make_offer, make_organization, make_site
from tests.search.shelf import make_shelf, need

pytestmark = pytest.mark.django_db
MATCH = {
    "rank", "letter", "start", "end", "units", "hours", "total_minor", "price_lines", "unit_price_mm", "pflop_hour_mm",
    "renewable_share_ppm", "matched_share_ppm", "matched_expected_ppm", "grid_share_ppm", "carbon_free_share_ppm",
    "quality",
    "carbon_mg_per_kwh", "carbon_g", "latency_ms", "free", "z", "fit", "sentence",
}  # fmt: skip


@pytest.fixture
def shelf():
    return make_shelf(hour_floor(utc_now()))


@pytest.fixture
def provider(shelf):
    return shelf["near"].site.provider


def client_of(organization, *scopes):
    """A program with a key of `organization`, which a member of it made."""
    _, secret = key_of(organization, *scopes, now=utc_now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def seller(provider):
    make_member(provider, Role.PROVIDER)
    return signed_in(provider, Role.PROVIDER)


def signed_in(organization, *roles):
    client = APIClient()
    client.force_login(make_member(organization, *roles))
    return client


def get(path, client=None, **query):
    return (client or APIClient()).get(f"/api/v1/{path}", query)


def test_an_offer_in_the_list_carries_its_match(shelf):
    answer = get("offers", near="berlin", units=2, hours=3)

    body = answer.json()
    first = body["data"][0]
    assert answer.status_code == 200
    assert (body["object"], body["has_more"], body["meta"]["count"]) == ("list", False, 5)
    assert first["object"] == "offer"
    assert set(first["match"]) == MATCH
    assert (first["match"]["rank"], first["match"]["letter"], first["match"]["hours"]) == (1, "A", 3)
    assert set(first["match"]["fit"]) == {"total", "price", "latency", "green"}
    assert first["match"]["total_minor"] == sum(line["amount_minor"] for line in first["match"]["price_lines"])
    assert first["site"]["zone"] in {"GREEN", "MIXED", "GREY"}
    assert {"slug", "pf_milli", "memory_gb", "max_w"} <= set(first["hardware"])


def test_the_list_over_http_stands_in_the_order_of_the_search(shelf):
    answer = get("offers", near="berlin", accelerator="H100").json()

    wanted = search(need=need("near=berlin&accelerator=H100"), now=utc_now())
    assert [each["id"] for each in answer["data"]] == [row.offer.public_id for row in wanted.rows]


def test_pages_of_the_list_join_without_a_gap(shelf):
    whole = [each["id"] for each in get("offers").json()["data"]]
    first = get("offers", limit=2).json()
    second = get("offers", limit=2, starting_after=first["next_cursor"]).json()
    back = get("offers", limit=2, ending_before=second["data"][0]["id"]).json()

    assert [each["id"] for each in first["data"] + second["data"]] == whole[:4]
    assert first["has_more"]
    assert [each["id"] for each in back["data"]] == [each["id"] for each in first["data"]]


def test_facets_come_only_when_asked_for(shelf):
    assert "facets" not in get("offers").json()["meta"]
    assert get("offers", facets=1).json()["meta"]["facets"]["accelerator"] == {"A100": 1, "H100": 4}


def test_a_list_without_offers_says_what_refused_them_and_what_would_help(shelf):
    meta = get("offers", price__lte=1).json()["meta"]

    assert (meta["count"], meta["considered"], meta["rejected"]) == (0, 5, {"price": 5})
    assert meta["relax"][0]["limit"] == "price__lte"


@pytest.mark.parametrize(
    ("query", "code", "hint"),
    [
        ({"acelerator": "H100"}, "unknown_parameter", "accelerator"),
        ({"latency_ms__lte": "20"}, "near_required", "near=shanghai"),
    ],
)
def test_a_query_that_means_nothing_is_a_problem_with_its_mend(shelf, query, code, hint):
    answer = get("offers", **query)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["hint"]) == (code, hint)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [("renewable_share__gte", "80", "0.8"), ("sort", "colour", ANY), ("when", "tomorrow", ANY), ("limit", "0", "20")],
)
def test_a_value_that_cannot_be_used_names_its_parameter(shelf, name, value, hint):
    answer = get("offers", **{name: value})

    [problem] = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert (problem["pointer"], problem["hint"]) == (name, hint)


def test_one_offer_carries_its_version_as_a_tag(shelf):
    offer = shelf["near"]

    answer = get(f"offers/{offer.public_id}")

    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert (answer.json()["id"], answer.json()["version"], answer.json()["state"]) == (offer.public_id, 1, "live")
    assert get("offers/ofr_nothing").status_code == 404


def test_the_calendar_tells_every_hour_with_its_units_and_shares(shelf):
    answer = get(f"offers/{shelf['green'].public_id}/calendar", days=2).json()

    assert (answer["object"], len(answer["hours"])) == ("calendar", 48)
    assert answer["hours"][0] == {
        "start": hour_floor(utc_now()).isoformat().replace("+00:00", "Z"), "unit_price_mm": 260_000, "free": 8,
        "renewable_share_ppm": 900_000, "matched_share_ppm": 0, "matched_expected_ppm": 0, "grid_share_ppm": 900_000,
        "carbon_free_share_ppm": 950_000, "carbon_mg_per_kwh": 100_000, "quality": ANY, "forecast": ANY,
    }  # fmt: skip


def test_a_draft_is_seen_by_its_provider_alone(shelf, provider, seller):
    draft = make_offer(shelf["near"].site, state="draft", now=utc_now())

    own = get("offers", seller, provider=provider.public_id, limit=100).json()["data"]
    strangers = signed_in(make_organization("Stranger"), Role.PROVIDER)

    assert draft.public_id in {each["id"] for each in own}
    for client in (APIClient(), strangers):
        listed = get("offers", client, provider=provider.public_id).json()["data"]
        assert draft.public_id not in {each["id"] for each in listed}
        assert len(listed) == 5
        assert get(f"offers/{draft.public_id}", client).status_code == 404
    assert get(f"offers/{draft.public_id}", seller).json()["state"] == "draft"


def verb(client, offer, name, **headers):
    return client.post(f"/api/v1/offers/{offer.public_id}/{name}", headers=headers)


@pytest.mark.parametrize("name", ["pause", "retire"])
def test_a_change_of_an_offer_says_on_which_version_it_was_decided(shelf, seller, name):
    offer = shelf["near"]

    missing = verb(seller, offer, name)
    stale = verb(seller, offer, name, if_match='"7"')
    done = verb(seller, offer, name, if_match='"1"')
    again = verb(seller, offer, name, if_match='"1"')

    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert (done.status_code, done["ETag"]) == (200, '"2"')
    assert done.json()["state"] == {"pause": "paused", "retire": "retired"}[name]
    assert again.status_code == 412


def test_prices_change_under_their_version_only(shelf, seller):
    path = f"/api/v1/offers/{shelf['near'].public_id}/prices"
    body = {"rates_mm": {"0": 111_000}}

    assert seller.patch(path, body, format="json").status_code == 428
    assert seller.patch(path, body, format="json", headers={"if-match": '"9"'}).status_code == 412
    assert Offer.objects.get(pk=shelf["near"].pk).rate_mm[0] == 300_000
    done = seller.patch(path, body, format="json", headers={"if-match": '"1"'})

    assert (done.status_code, done["ETag"]) == (200, '"2"')
    assert Offer.objects.get(pk=shelf["near"].pk).rate_mm[:2] == [111_000, 300_000]


def test_a_new_offer_is_a_draft_until_it_is_published(shelf, provider, seller):
    make_hardware()
    site = make_site(provider)
    body = {"site": site.public_id, "hardware": "h100-sxm", "title": "New", "units": 2, "rate_mm": 200_000}

    made = seller.post("/api/v1/offers", body, format="json")
    offer = Offer.objects.get(public_id=made.json()["id"])
    published = verb(seller, offer, "publish", if_match=made["ETag"])

    assert (made.status_code, made.json()["state"]) == (201, "draft")
    assert (published.status_code, published.json()["state"]) == (200, "live")


def test_nobody_changes_another_provider_s_offer(shelf):
    other = signed_in(make_organization("Other"), Role.PROVIDER)

    assert verb(other, shelf["near"], "pause", if_match='"1"').status_code == 404
    assert Offer.objects.get(pk=shelf["near"].pk).state == "live"


def test_a_role_in_one_organization_gives_no_right_over_another_s_offers(shelf, provider):
    person = make_member(provider, Role.BUYER)
    Membership.objects.create(
        organization=make_organization("Own"), user=person, role=Role.PROVIDER, created_at=utc_now()
    )
    client = APIClient()
    client.force_login(person)
    chosen = choose(client, "Own")
    body = {"site": shelf["near"].site.public_id, "hardware": "h100-sxm", "title": "New", "units": 2, "rate_mm": 1}

    paused = verb(client, shelf["near"], "pause", if_match='"1"')
    made = client.post("/api/v1/offers", body, format="json")

    assert chosen.name == "Own"
    assert (paused.status_code, made.status_code) == (404, 404)
    assert Offer.objects.get(pk=shelf["near"].pk).state == "live"


def choose(client, name):
    """Act for the organization of this name from now on."""
    organization = Organization.objects.get(name=name)
    session = client.session
    session["organization"] = organization.public_id
    session.save()
    return organization


def test_a_quote_over_http_holds_its_first_option(shelf):
    buyer = make_organization("Buyer")
    client = client_of(buyer, "reservations:write", "reservations:read")
    body = {"units": 2, "hours": 3, "where": {"accelerator": ["H100"], "near": "berlin"}, "hold": True}

    made = client.post("/api/v1/quotes", body, format="json")

    quote = made.json()
    assert made.status_code == 201, quote
    assert [option["rank"] for option in quote["options"]] == [1, 2, 3, 4]
    option = quote["options"][0]
    assert option["total_minor"] == sum(line["amount_minor"] for line in option["price_lines"])
    assert {"sentence", "runner_up", "break_even"} == set(option["why"])
    held = Reservation.objects.get(public_id=quote["reservation"])
    assert (held.state, held.buyer, held.offer.public_id) == ("held", buyer, option["offer"]["id"])
    assert get(f"quotes/{quote['id']}", client).json()["options"] == quote["options"]
    assert get(f"quotes/{quote['id']}", client_of(make_organization(), "reservations:read")).status_code == 404


def test_a_quote_that_nothing_fits_says_what_to_relax(shelf):
    client = client_of(make_organization(), "reservations:write")
    body = {"units": 1, "hours": 1, "where": {"price__lte": 1}}

    answer = client.post("/api/v1/quotes", body, format="json")

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "no_offer_fits")
    assert problem["facts"]["rejected"] == {"price": 5}
    assert problem["facts"]["relax"][0]["sentence"] == problem["hint"]


@pytest.mark.parametrize(
    ("path", "kind", "count"), [("places", "place", 1), ("sites", "site", 5), ("hardware_classes", "hardware_class", 2)]
)
def test_what_the_shelf_is_made_of_is_public(shelf, path, kind, count):
    body = get(path).json()

    assert (body["object"], body["meta"]["count"], body["data"][0]["object"]) == ("list", count, kind)


def ids(answer):
    return [each["id"] for each in answer.json()["data"]]


@pytest.mark.parametrize(
    ("query", "states"),
    [({}, {"live", "draft", "paused"}), ({"q": "second"}, {"draft"}), ({"tier": "interruptible"}, {"paused"})],
)
def test_a_provider_s_own_offers_of_every_state_pass_the_same_filters(shelf, provider, seller, query, states):
    make_offer(make_site(provider, name="Second Hall"), state="draft", now=utc_now())
    Offer.objects.filter(pk=shelf["loose"].pk).update(state="paused")

    answer = get("offers", seller, provider=provider.public_id, limit=100, **query)

    assert {each["state"] for each in answer.json()["data"]} == states


def test_a_filter_that_needs_a_ranking_is_refused_for_own_offers_by_its_name(shelf, provider, seller):
    answer = get("offers", seller, provider=provider.public_id, price__lte=200, units=2)

    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (400, ["price__lte"])


@pytest.mark.parametrize(
    "query",
    [
        {"price__lte": 1},
        {"residency": "US", "sort": "total"},
        {"near": "berlin", "latency_ms__lte": 1, "limit": 1},
        {"renewable_share__gte": "0.95"},
        {"units": 40},
    ],
)
def test_the_query_of_each_way_out_leads_to_the_offer_it_names(shelf, query):
    ways = get("offers", **query).json()["meta"]["relax"]

    assert ways
    for way in ways:
        opened = APIClient().get(f"/api/v1/offers?{way['query']}&limit=100".replace("limit=1&", ""))
        assert way["offer"] in ids(opened), way


@pytest.mark.parametrize(
    "query",
    [
        "units=2&hours=3&near=berlin",
        "units=1&hours=1&accelerator=H100&w_price=80&w_latency=10&w_green=10",
        "units=1&hours=2&renewable_share__gte=0.5&sort=-total",
        "units=1&hours=2&near=berlin&when=greenest&sort=latency",
        "units=1&hours=1&residency=DE&residency=NO",
    ],
)
def test_the_page_shows_what_the_api_lists_in_the_same_order(shelf, settings, query):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}

    page = APIClient().get(f"/?{query}").content.decode()

    listed = ids(APIClient().get(f"/api/v1/offers?{query}"))
    assert listed
    assert re.findall(r'data-offer="(ofr_\w+)"', page) == listed


def test_a_longer_shelf_costs_the_list_no_more_queries(shelf):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            get("offers", near="berlin", facets=1, limit=100)
        return len(caught)

    queries()
    before = queries()
    for _ in range(6):
        make_offer(shelf["near"].site, now=hour_floor(utc_now()))

    assert queries() == before


@pytest.mark.parametrize("days", ["0", "15", "many", "²", "1.5"])
def test_a_calendar_of_days_that_cannot_be_is_refused(shelf, days):
    answer = get(f"offers/{shelf['near'].public_id}/calendar", days=days)

    [problem] = answer.json()["errors"]
    assert (answer.status_code, problem["pointer"], problem["hint"]) == (400, "days", "7")


@pytest.mark.parametrize("hour", ["mon", "²", "-1", "168"])
def test_rates_for_what_is_no_hour_change_nothing(shelf, seller, hour):
    path = f"/api/v1/offers/{shelf['near'].public_id}/prices"

    answer = seller.patch(path, {"rates_mm": {hour: 1, "3": 1}}, format="json", headers={"if-match": '"1"'})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert Offer.objects.get(pk=shelf["near"].pk).rate_mm[3] == 300_000


def test_a_new_offer_takes_every_term_that_it_shows(shelf, provider, seller):
    terms = {"notice_s": 300, "boot_s": 20, "network": True, "tier": "interruptible", "term": "reserved"}
    body = {"site": make_site(provider).public_id, "hardware": "h100-sxm", "title": "New", "units": 2, "rate_mm": 1}

    made = seller.post("/api/v1/offers", body | terms, format="json").json()

    assert {name: made[name] for name in terms} == terms
