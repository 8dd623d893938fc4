"""Pages of the waiting list: from a sold-out offer to a place, its expected start, and what came free."""

import pytest

from accounts.models import Role
from marketplace.booking import services
from marketplace.booking.models import Reservation, Wait
from marketplace.common.clock import HOUR, hour_ceil, rfc3339, utc_now
from scheduler.waitinglist import serve_waiting
from tests.frontend.stage import shelf, signed_in, text_of, value_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    """Sold out for a day."""
    now, found = utc_now(), shelf()
    held = services.hold_units(
        buyer=make_organization(), offer=found, units=found.units, start=now, end=hour_ceil(now) + 24 * HOUR, now=now
    )
    services.confirm(reservation=held, now=now)
    return found


def start():
    return hour_ceil(utc_now()) + 2 * HOUR


def join(browser, found, **typed):
    at = f"{start():%Y-%m-%dT%H:%M}"
    typed = {"offer": found.public_id, "units": "1", "hours": "2", "after": at, "by": at, "request_key": "k"} | typed
    return browser.post("/reservations/waits/new/", typed)


def come_free():
    services.fail(reservation=Reservation.objects.with_terms().get(), now=utc_now(), reason="withdrawn")
    serve_waiting(now=utc_now())


def test_a_sold_out_hour_leads_to_a_form_that_knows_it(browser, offer):
    at = rfc3339(start())
    page = browser.get(f"/offers/{offer.public_id}/?units=1&hours=2&start={at}").content.decode()
    href = f"/reservations/waits/new/?units=1&amp;hours=2&amp;start={at}&amp;offer={offer.public_id}"
    assert href in page

    form = browser.get(href.replace("&amp;", "&")).content.decode()

    assert (value_of(form, "hours"), value_of(form, "by")) == ("2", f"{start():%Y-%m-%dT%H:%M}")
    assert offer.public_id in form


def test_the_list_shows_place_and_expected_start_and_a_form_sent_twice_joins_once(browser, offer):
    assert "You wait for nothing" in text_of(browser.get("/reservations/"))

    first, second = join(browser, offer), join(browser, offer)

    assert first["Location"] == second["Location"] == "/reservations/#waits"
    wait = Wait.objects.get()
    assert (wait.start_after, wait.start_by, wait.where) == (start(), start(), {"offer": [offer.public_id]})
    page = text_of(browser.get("/reservations/"))
    assert "1 unit for 2 hours" in page
    assert "Waiting number 1" in page
    assert "later than you asked, unless hours come back" in page


def test_what_came_free_is_shown_with_the_time_to_confirm_it(browser, offer):
    join(browser, offer)
    come_free()

    page = browser.get("/reservations/")

    held = Wait.objects.get().reservation
    assert "Held for you Confirm it by" in text_of(page)
    assert f'href="/reservations/{held.public_id}/"' in page.content.decode()
    assert (held.state, held.start) == ("held", start())


def test_a_ceiling_lets_it_be_reserved_at_once(browser, offer):
    join(browser, offer, reserve="on", price="9.00")
    come_free()

    assert "Reserved for you" in text_of(browser.get("/reservations/"))
    assert Wait.objects.get().reservation.state == "confirmed"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"reserve": "on"}, "Say the most that it may cost."),
        ({"by": "2020-01-01T00:00"}, "Not before the first."),
        ({"units": "0"}, "greater than or equal to 1"),
        ({"units": "100"}, "no offer fits this request"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_joined(browser, offer, typed, told):
    page = join(browser, offer, **typed)

    assert (page.status_code, told in text_of(page)) == (200, True)
    assert not Wait.objects.exists()


def test_hours_that_are_free_by_now_are_to_be_reserved(browser, offer):
    come_free()

    assert "these hours are free: reserve them" in text_of(join(browser, offer))
    assert not Wait.objects.exists()


def test_a_kind_of_hardware_is_waited_for_without_an_offer(browser, offer):
    join(browser, offer, offer="", accelerator="vCPU")

    assert Wait.objects.get().where == {"accelerator": ["vCPU"]}
    assert "vCPU" in text_of(browser.get("/reservations/"))


def test_a_place_is_left_at_its_button_but_not_by_a_stranger(browser, offer):
    join(browser, offer)
    path = f"/reservations/waits/{Wait.objects.get().public_id}/leave/"

    assert signed_in(make_organization(), Role.BUYER).post(path).status_code == 404
    assert Wait.objects.get().state == "waiting"

    browser.post(path)
    assert Wait.objects.get().state == "left"
    assert "Left the list" in text_of(browser.get("/reservations/"))


def test_the_page_speaks_chinese_too(browser, offer):
    join(browser, offer)
    browser.cookies["django_language"] = "zh-hans"

    assert "候补" in text_of(browser.get("/reservations/", headers={"accept-language": "zh-hans"}))
