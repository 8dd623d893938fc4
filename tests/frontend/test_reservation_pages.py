"""The buyers' pages of reservations: what is held, until when, and what can still be done."""

from datetime import timedelta

import pytest

from accounts.models import Role
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import confirm, hold_units
from marketplace.common.clock import hour_floor, utc_now
from tests.frontend.stage import HOUR, shelf, signed_in, text_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def buyer():
    return make_organization("Lab")


@pytest.fixture
def browser(buyer):
    return signed_in(buyer, Role.BUYER)


def held(buyer, *, expires_in=timedelta(minutes=10)):
    offer = shelf()
    now = utc_now()
    start = hour_floor(now) + 2 * HOUR
    return hold_units(
        buyer=buyer, offer=offer, units=2, start=start, end=start + HOUR, now=now, expires_at=now + expires_in
    )


def promised(reservation):
    row = CapacityDay.objects.get(offer=reservation.offer, day=reservation.start.date())
    return row.units_promised[reservation.start.hour]


def test_a_hold_shows_how_long_it_lasts_and_its_frozen_price(browser, buyer):
    reservation = held(buyer)

    page = browser.get(f"/reservations/{reservation.public_id}/")

    assert "data-countdown=" in page.content.decode()
    assert "Held for you, not yet yours. Time left: 9:5" in text_of(page)
    assert "Total, all-in $0.08" in text_of(page)


def test_a_hold_is_confirmed_by_its_button(browser, buyer):
    reservation = held(buyer)

    browser.post(f"/reservations/{reservation.public_id}/confirm/")

    reservation.refresh_from_db()
    assert reservation.state == "confirmed"
    assert promised(reservation) == 2


def test_a_lapsed_hold_is_not_confirmed_and_says_so(browser, buyer):
    reservation = held(buyer, expires_in=timedelta(seconds=-1))

    page = text_of(browser.get(f"/reservations/{reservation.public_id}/"))
    answer = browser.post(f"/reservations/{reservation.public_id}/confirm/", follow=True)

    assert "The hold is over" in page
    assert "Confirm for" not in page
    assert "The quote has expired" in text_of(answer)
    reservation.refresh_from_db()
    assert reservation.state == "held"


def test_a_cancelled_reservation_gives_its_hours_back(browser, buyer):
    reservation = confirm(reservation=held(buyer), now=utc_now())

    answer = browser.post(f"/reservations/{reservation.public_id}/cancel/", follow=True)

    assert "Cancelled: nothing was charged, and $0.08 went back to the wallet." in text_of(answer)
    assert promised(reservation) == 0


def test_another_organizations_reservation_is_not_there(browser):
    reservation = held(make_organization("Somebody else"))

    assert browser.get(f"/reservations/{reservation.public_id}/").status_code == 404
    assert browser.post(f"/reservations/{reservation.public_id}/cancel/").status_code == 404
    reservation.refresh_from_db()
    assert reservation.state == "held"


def test_an_empty_list_leads_to_the_shelf_and_a_full_one_is_kept_to_a_state(browser, buyer):
    assert "No reservation yet" in text_of(browser.get("/reservations/"))

    reservation = held(buyer)

    assert reservation.public_id in text_of(browser.get("/reservations/?state=open"))
    assert "No reservation in this state" in text_of(browser.get("/reservations/?state=past"))
