"""A green promise on the checkout and on the page of the reservation."""

import pytest

from marketplace.booking.models import Reservation
from marketplace.common.clock import hour_floor, rfc3339, utc_now
from marketplace.energy.models import GreenPromise
from tests.energy.plants import make_served
from tests.frontend.market_stall import order, stock
from tests.frontend.stage import HOUR, text_of, value_of

pytestmark = pytest.mark.django_db
ALL_DAY = [2_000] * 24


@pytest.fixture
def checkout(browser):
    """The checkout of two units for three hours at a site whose plant makes more than they draw, but not for sure."""
    offer = stock("Hall One")
    make_served(offer.site.point, hour_floor(utc_now()), days=80, wh=ALL_DAY)
    return order(browser, offer, start=rfc3339(hour_floor(utc_now()) + 20 * HOUR))["Location"]


def confirmed(browser, checkout, **asked):
    return browser.post(checkout, {"do": "confirm", "request_key": "key_g", **asked})


def test_the_checkout_says_how_much_can_be_promised_and_promises_it(browser, checkout):
    html = browser.get(checkout).content.decode()
    most = value_of(html, "promise_percent")

    confirmed(browser, checkout, promise="on", promise_percent=most)

    held = Reservation.objects.get()
    assert (held.state, GreenPromise.objects.get().subject) == ("confirmed", held.public_id)
    assert GreenPromise.objects.get().promised_percent == int(most) > 50
    page = text_of(browser.get(f"/reservations/{held.public_id}/"))
    assert f"{most}% matched by the hour" in page
    assert "at most 30% of the charge" in page


def test_nothing_is_promised_unless_it_is_asked_for(browser, checkout):
    confirmed(browser, checkout, promise_percent=50)

    held = Reservation.objects.get()
    assert (held.state, GreenPromise.objects.exists()) == ("confirmed", False)
    assert "Green promise None" in text_of(browser.get(f"/reservations/{held.public_id}/"))


@pytest.mark.parametrize(
    ("percent", "says"),
    [
        ("0", "whole number of per cent from 1 to 100"),
        ("101", "whole number of per cent from 1 to 100"),
        ("half", "whole number of per cent from 1 to 100"),
        ("", "whole number of per cent from 1 to 100"),
    ],
)
def test_a_promise_that_is_no_per_cent_names_the_mend_and_buys_nothing(browser, checkout, percent, says):
    answer = confirmed(browser, checkout, promise="on", promise_percent=percent)

    assert says in text_of(browser.get(answer["Location"]))
    assert (Reservation.objects.get().state, GreenPromise.objects.exists()) == ("held", False)


def test_more_than_can_be_promised_names_the_best_and_buys_nothing(browser):
    offer = stock("Hall One")
    make_served(offer.site.point, hour_floor(utc_now()), days=80, wh=[600] * 24)
    there = order(browser, offer, start=rfc3339(hour_floor(utc_now()) + 20 * HOUR))["Location"]
    most = value_of(browser.get(there).content.decode(), "promise_percent")

    answer = confirmed(browser, there, promise="on", promise_percent=100)

    assert f"at most {most} % can be promised" in text_of(browser.get(answer["Location"]))
    assert (Reservation.objects.get().state, GreenPromise.objects.exists()) == ("held", False)


def test_a_site_without_plants_says_that_nothing_can_be_promised(browser):
    there = order(browser, stock("Hall One"))["Location"]

    assert "No green energy can be promised for these hours" in text_of(browser.get(there))
