"""The buyers' pages of reservations: what is held, until when, and what can still be done."""

import re
from datetime import timedelta

import pytest

from marketplace.booking.models import CapacityDay, Reservation
from marketplace.booking.services import confirm, hold_units
from marketplace.common.clock import hour_floor, utc_now
from scheduler.models import Job
from tests.frontend.stage import HOUR, shelf, text_of
from tests.market import make_organization
from tests.scheduler.reserved import file_of, inside, submit_inside

pytestmark = pytest.mark.django_db


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


@pytest.fixture
def firm(buyer):
    """Two units of one hour, the one after next."""
    return confirm(reservation=held(buyer), now=utc_now())


def hidden(page):
    """{name: value} of the hidden fields of the form that makes the change."""
    form = page.content.decode().split('/change/"', 1)[1].split("</form>", 1)[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_a_longer_reservation_shows_its_price_before_it_is_taken(browser, buyer):
    offer = shelf(units=4)
    start = hour_floor(utc_now()) + 2 * HOUR
    row = hold_units(buyer=buyer, offer=offer, units=2, start=start, end=start + HOUR, now=utc_now())
    confirm(reservation=row, now=utc_now())
    address = f"/reservations/{row.public_id}/"

    page = browser.get(f"{address}?hours=2")
    assert "2 hours longer" in text_of(page)
    assert "Take them for $0.16" in text_of(page)
    row.refresh_from_db()
    assert (row.end, row.version) == (start + HOUR, 2)

    fields = hidden(page)
    for _ in range(2):  # the form is sent twice
        answer = browser.post(f"{address}change/", fields, follow=True)
    row.refresh_from_db()
    assert "The reservation is changed." in text_of(answer)
    assert (row.end, row.changes.count()) == (start + 3 * HOUR, 1)
    assert "Bought in parts" in text_of(answer)
    assert "Total, all-in $0.24" in text_of(answer)


def test_a_price_that_changed_since_is_told_and_nothing_is_taken(browser, firm):
    fields = hidden(browser.get(f"/reservations/{firm.public_id}/?hours=1"))

    answer = browser.post(f"/reservations/{firm.public_id}/change/", fields | {"total_minor": "1"}, follow=True)

    assert "the price is 8 by now" in text_of(answer)
    assert firm.changes.count() == 0


def test_units_go_back_by_a_button_that_says_so(browser, firm):
    page = browser.get(f"/reservations/{firm.public_id}/?units=1")
    assert "1 unit goes back to the shelf" in text_of(page)

    browser.post(f"/reservations/{firm.public_id}/change/", hidden(page))

    assert (promised(firm), inside(firm, firm.start)) == (1, (1, 0))


@pytest.mark.parametrize(
    ("query", "said"), [("units=9", "has been taken"), ("hours=0", "must be from 1"), ("hours=x", "must be from 1")]
)
def test_a_change_that_cannot_be_says_why(browser, firm, query, said):
    page = browser.get(f"/reservations/{firm.public_id}/?{query}")

    assert said in text_of(page)
    assert "Take them for" not in text_of(page)


def test_what_is_over_or_anothers_cannot_be_changed(browser, firm):
    other = confirm(reservation=held(make_organization("Somebody else")), now=utc_now())
    Reservation.objects.filter(pk=firm.pk).update(state="active")
    Reservation.objects.filter(pk=firm.pk).update(state="completed")

    assert "Change it" not in text_of(browser.get(f"/reservations/{firm.public_id}/?hours=1"))
    browser.post(f"/reservations/{firm.public_id}/change/", {"hours": "1"})
    assert browser.post(f"/reservations/{other.public_id}/change/", {"hours": "1"}).status_code == 404

    assert (firm.changes.count(), other.changes.count()) == (0, 0)


def test_jobs_inside_are_listed_and_a_new_one_begins_with_its_file(browser, firm):
    assert "None yet." in text_of(browser.get(f"/reservations/{firm.public_id}/"))
    job = submit_inside(firm, now=utc_now(), name="train")

    page = browser.get(f"/reservations/{firm.public_id}/")
    assert f'href="/jobs/{job.public_id}/"' in page.content.decode()
    assert "train Is to start at" in text_of(page)

    draft = browser.get(f"/jobs/new/?reservation={firm.public_id}").content.decode()
    assert f"reservation: {firm.public_id}" in draft
    assert browser.get("/jobs/new/?reservation=rsv_anothers").status_code == 404


def test_the_page_of_a_job_inside_leads_to_its_reservation(browser, firm):
    placed, waiting = (submit_inside(firm, now=utc_now(), units=2) for _ in range(2))

    page = browser.get(f"/jobs/{placed.public_id}/")
    assert f'href="/reservations/{firm.public_id}/"' in page.content.decode()
    assert "In your reservation" in text_of(page)
    assert "It runs inside your reservation, where offer and price were settled." in text_of(page)
    told = text_of(browser.get(f"/jobs/{waiting.public_id}/"))
    assert "The units of its reservation are in use; it starts as soon as enough are free." in told


def test_a_job_inside_is_checked_and_submitted_by_the_form(browser, firm):
    text = file_of(firm)

    checked = browser.post("/jobs/new/", {"do": "check", "file": text})
    assert "It runs inside your reservation" in text_of(checked)
    assert not Job.objects.exists()
    browser.post("/jobs/new/", {"do": "submit", "file": text})
    refused = browser.post("/jobs/new/", {"do": "submit", "file": text.replace("600", "7200")})

    assert Job.objects.get().reservation == firm
    assert refused.status_code == 422
    assert "3600 s are left of the reservation" in text_of(refused)


def test_cancelling_with_a_job_inside_ends_both(browser, firm):
    job = submit_inside(firm, now=utc_now())

    answer = browser.post(f"/reservations/{firm.public_id}/cancel/", follow=True)

    job.refresh_from_db()
    assert "Cancelled: nothing was charged" in text_of(answer)
    assert (job.state, promised(firm)) == ("cancelled", 0)
