"""The price signal over HTTP: of an own offer, for providers only."""

import pytest
from django.test import Client

from accounts.models import Role
from marketplace.common.clock import utc_now
from scheduler.cycle import run_round
from tests.frontend.stage import shelf, signed_in, submit
from tests.market import make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    return make_organization("Nauen Compute")


def get(browser, offer, **query):
    return browser.get(f"/api/v1/offers/{offer.public_id}/price_signal", query)


def test_a_provider_reads_the_signal_of_an_own_offer(provider):
    offer = shelf(provider=provider, units=2)
    browser = signed_in(provider, Role.PROVIDER)
    before = get(browser, offer).json()
    submit(make_organization())
    run_round(segment="cpu", now=utc_now())

    answer = get(browser, offer, days=1)

    body = answer.json()
    assert (before["as_of"], before["hours"]) == (None, [])
    assert (answer.status_code, body["object"], body["offer"], len(body["hours"])) == (
        200, "price_signal", offer.public_id, 24,
    )  # fmt: skip
    hour = body["hours"][2]  # which the job does not reach, however late in an hour it starts
    assert body["as_of"].endswith("Z")
    assert (hour["units"], hour["free"], hour["rate_mm"], hour["shadow_price_mm"]) == (2, 2, 4_000, 0)
    assert hour["suggestion"]["code"] == "enough"
    assert hour["suggestion"]["sentence"].startswith("There are units for everybody")


def test_strangers_other_providers_and_buyers_read_none(provider):
    offer = shelf(provider=provider)
    rival = signed_in(make_organization("Somebody else"), Role.PROVIDER)
    buyer = signed_in(provider, Role.BUYER)

    answers = [get(browser, offer).status_code for browser in (Client(), rival, buyer)]

    assert answers == [401, 404, 403]


def test_days_that_cannot_be_are_refused(provider):
    offer = shelf(provider=provider)

    assert get(signed_in(provider, Role.PROVIDER), offer, days=0).status_code == 400
