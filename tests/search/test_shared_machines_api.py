"""A provider names the firm offer whose machines an interruptible one shares; buyers see what nobody uses."""

import pytest
from rest_framework.test import APIClient

from accounts.models import Role
from marketplace.booking.services import hold_units
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor, utc_now
from tests.market import make_member, make_offer, make_organization
from tests.scheduler.scene import publish_hours

pytestmark = pytest.mark.django_db


@pytest.fixture
def firm():
    offer = make_offer(now=hour_floor(utc_now()))
    publish_hours(offer.site.zone, hour_floor(utc_now()))
    return offer


@pytest.fixture
def seller(firm):
    client = APIClient()
    client.force_login(make_member(firm.site.provider, Role.PROVIDER))
    return client


def body(firm, **fields):
    return {
        "site": firm.site.public_id, "hardware": firm.hardware.slug, "title": "Rest", "units": firm.units, "rate_mm": 1,
        "tier": "interruptible", "twin": firm.public_id,
    } | fields  # fmt: skip


def test_a_new_interruptible_offer_names_its_twin_once(firm, seller):
    made = seller.post("/api/v1/offers", body(firm), format="json")
    again = seller.post("/api/v1/offers", body(firm), format="json")

    assert (made.status_code, made.json()["twin"]) == (201, firm.public_id)
    assert (again.status_code, again.json()["errors"][0]["pointer"]) == (422, "/twin")


def test_another_provider_s_offer_is_no_twin(firm, seller):
    strange = make_offer()

    answer = seller.post("/api/v1/offers", body(firm, twin=strange.public_id), format="json")

    assert answer.status_code == 404
    assert not Offer.objects.filter(twin__isnull=False).exists()


def test_the_calendar_of_a_twin_shows_what_nobody_uses(firm, seller):
    made = seller.post("/api/v1/offers", body(firm), format="json").json()
    now = utc_now()
    loose, start = Offer.objects.get(public_id=made["id"]), hour_floor(now) + HOUR
    hold_units(buyer=make_organization(), offer=loose, units=3, start=start, end=start + HOUR, now=now)

    hours = seller.get(f"/api/v1/offers/{firm.public_id}/calendar").json()["hours"]

    assert [hour["free"] for hour in hours[:3]] == [8, 5, 8]
