"""Who may change an offer over HTTP, under which version, and what of it."""

import pytest
from rest_framework.test import APIClient

from accounts.models import Role
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from tests.market import make_member, make_organization
from tests.search.shelf import make_shelf
from tests.search.test_offers_api import client_of, get, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    return make_shelf(hour_floor(utc_now()))


@pytest.fixture
def provider(shelf):
    return shelf["near"].site.provider


@pytest.fixture
def seller(provider):
    make_member(provider, Role.PROVIDER)
    return signed_in(provider, Role.PROVIDER)


def test_strangers_read_the_shelf_and_write_nothing(shelf):
    path = f"/api/v1/offers/{shelf['near'].public_id}"

    for answer in (APIClient().post("/api/v1/offers", {}, format="json"), APIClient().patch(path, {}, format="json")):
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")
    assert get("offers").status_code == get(path.removeprefix("/api/v1/")).status_code == 200


def test_a_key_without_the_scope_and_a_person_without_the_role_write_nothing(shelf, provider):
    reader, buyer = client_of(provider, "offers:read"), signed_in(provider, Role.BUYER)
    path = f"/api/v1/offers/{shelf['near'].public_id}"

    for client, code in ((reader, "scope_missing"), (buyer, "role_missing")):
        answers = [
            client.post("/api/v1/offers", {}, format="json"),
            client.patch(path, {"title": "Mine"}, format="json", headers={"if-match": '"1"'}),
        ]
        assert [(each.status_code, each.json()["code"]) for each in answers] == [(403, code)] * 2
    assert Offer.objects.count() == len(shelf)


def test_words_and_terms_change_under_their_version_only(shelf, seller):
    offer = shelf["near"]
    path, body = f"/api/v1/offers/{offer.public_id}", {"title": "North hall", "notice_s": 600, "network": True}

    missing = seller.patch(path, body, format="json")
    stale = seller.patch(path, body, format="json", headers={"if-match": '"7"'})
    done = seller.patch(path, body, format="json", headers={"if-match": '"1"'})

    assert [each.json()["code"] for each in (missing, stale)] == ["precondition_required", "stale_version"]
    assert (done.status_code, done["ETag"]) == (200, '"2"')
    assert {name: done.json()[name] for name in body} == body


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"units": 0}, "/units"),
        ({"state": "retired"}, "/state"),
        ({"tier": "soft"}, "/tier"),
        ({"title": ""}, "/title"),
    ],
)
def test_what_has_its_own_address_or_cannot_be_is_not_changed(shelf, seller, body, pointer):
    path = f"/api/v1/offers/{shelf['near'].public_id}"

    answer = seller.patch(path, body, format="json", headers={"if-match": '"1"'})

    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])
    assert Offer.objects.get(pk=shelf["near"].pk).version == 1


def test_another_provider_s_offer_is_not_there_to_change(shelf):
    other = signed_in(make_organization("Other"), Role.PROVIDER)
    path = f"/api/v1/offers/{shelf['near'].public_id}"

    assert other.patch(path, {"title": "Mine"}, format="json", headers={"if-match": '"1"'}).status_code == 404
