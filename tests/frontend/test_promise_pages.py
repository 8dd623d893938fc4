"""The console's pages of what is promised: what giving up comes to, once, and what its buyer reads."""

import pytest

from accounts.models import Role
from marketplace.booking.models import Reservation, ServiceCredit
from marketplace.common.clock import hour_floor, utc_now
from tests.frontend.stage import HOUR, shelf, signed_in, text_of, value_of
from tests.market import make_organization
from tests.scheduler.reserved import reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer():
    return make_organization("Lab", funds=10_000)


@pytest.fixture
def held(buyer):
    """Two units for four hours that have not begun: 8.00 and a fee of 0.32."""
    now = utc_now()
    return reserve(shelf(rate_mm=100_000), buyer, start=hour_floor(now) + 2 * HOUR, now=now)


@pytest.fixture
def console(held):
    return signed_in(held.offer.site.provider, Role.PROVIDER)


def address(held):
    return f"/console/reservations/{held.public_id}/"


def give_up(console, held, **changes):
    form = {"reason": "hardware_failed", "provider_minor": "83", "request_key": "key_a"} | changes
    return console.post(f"{address(held)}give-up/", form, follow=True)


def test_a_provider_sees_what_it_promised_and_not_to_whom(console, held):
    told = text_of(console.get("/console/reservations/")) + text_of(console.get(address(held)))

    assert held.public_id in told
    assert held.buyer.name not in told


def test_the_page_says_what_giving_up_comes_to_and_changes_nothing(console, held):
    page = console.get(address(held))

    told = text_of(page)
    assert "Back to its buyer $8.32 Service credit $0.83 Of it, you owe $0.83 Jobs that end unpaid 0" in told
    assert value_of(page.content.decode(), "provider_minor") == "83"
    held.refresh_from_db()
    assert (held.state, ServiceCredit.objects.count()) == ("confirmed", 0)


def test_giving_up_is_done_once_and_its_buyer_reads_why(console, held, buyer):
    first, again = (give_up(console, held) for _ in range(2))

    assert "It is given up; its buyer reads why" in text_of(first)
    assert "Its buyer was credited $0.83, of which you owe $0.83" in text_of(first)
    assert again.status_code == 200
    assert ServiceCredit.objects.get().amount_minor == 83
    page = text_of(signed_in(buyer, Role.BUYER).get(f"/reservations/{held.public_id}/"))
    told = "The provider gave it up: the hardware failed. $8.32 went back to the wallet, and $0.83 came as a service"
    assert told in page
    assert "Cancelling is free" not in page


@pytest.mark.parametrize("changes", [{"reason": ""}, {"reason": "a whim"}, {"provider_minor": "82"}])
def test_without_a_reason_or_for_more_than_was_shown_nothing_is_given_up(console, held, changes):
    give_up(console, held, **changes)

    assert (Reservation.objects.get().state, ServiceCredit.objects.count()) == ("confirmed", 0)


def test_it_is_nobody_elses_to_give_up(held, buyer):
    for organization, role, status in ((make_organization("Other"), Role.PROVIDER, 404), (buyer, Role.BUYER, 403)):
        assert give_up(signed_in(organization, role), held).status_code == status

    assert Reservation.objects.get().state == "confirmed"


def test_an_empty_console_says_what_will_stand_there():
    page = text_of(signed_in(make_organization("New"), Role.PROVIDER).get("/console/reservations/"))

    assert "Nothing is promised yet" in page
