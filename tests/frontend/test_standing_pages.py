"""Pages of standing orders: placed from a form, shown with how they stand and why, paused and cancelled at a button."""

from datetime import timedelta

import pytest

from accounts.models import Role
from marketplace.booking.models import Reservation, StandingOrder
from marketplace.common.clock import utc_now
from scheduler.standingorders import keep_orders
from tests.frontend.stage import shelf, signed_in, text_of, value_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db
TYPED = {
    "accelerator": "vCPU",
    "units": "2",
    "price": "1.00",
    "ahead": "6",
    "block": "3",
    "cap": "500",
    "request_key": "k",
}


def place(browser, **typed):
    return browser.post("/reservations/standing/new/", TYPED | typed)


def placed(browser, **typed):
    """The page of a new order that was looked at."""
    where = place(browser, **typed)["Location"]
    keep_orders(now=utc_now())
    return where


def test_the_list_explains_standing_orders_and_offers_to_place_one(browser):
    page = browser.get("/reservations/")

    assert "Standing orders Units kept reserved for the hours ahead" in text_of(page)
    assert "None yet." in text_of(page)
    assert 'href="/reservations/standing/new/"' in page.content.decode()


def test_a_firm_offers_page_leads_to_a_form_that_knows_the_hardware(browser):
    offer = shelf()
    page = browser.get(f"/offers/{offer.public_id}/?units=2")
    href = f"/reservations/standing/new/?accelerator=vCPU&amp;units=2&amp;region={offer.site.region}"
    assert href in page.content.decode()

    form = browser.get(href.replace("&amp;", "&")).content.decode()

    assert '<option value="vCPU" selected>' in form
    assert f'<option value="{offer.site.region}" selected>' in form
    assert value_of(form, "units") == "2"


def test_a_form_sent_twice_places_one_order(browser, buyer):
    shelf()

    first, second = place(browser), place(browser)

    order = StandingOrder.objects.get()
    assert first["Location"] == second["Location"] == f"/reservations/standing/{order.public_id}/"
    assert (order.buyer, order.units, order.ahead_hours, order.block_hours) == (buyer, 2, 6, 3)
    assert order.where == {"accelerator": ["vCPU"], "price__lte": 100, "tier": ["firm"]}
    assert order.budget.limit_minor == 50_000


def test_all_choices_reach_the_order(browser):
    shelf()
    day = (utc_now() + timedelta(days=3)).date()

    place(browser, share="400000", region="eu-central", until=day.isoformat())

    order = StandingOrder.objects.get()
    assert (order.where["renewable_share__gte"], order.where["region"]) == (0.4, ["eu-central"])
    assert (order.ends_at.date(), order.ends_at.hour) == (day + timedelta(days=1), 0)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"price": "cheap"}, "Write an amount such as"),
        ({"block": "12"}, "Not more than is reserved ahead."),
        ({"until": "2020-01-01"}, "This day has passed."),
        ({"units": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_placed(browser, typed, told):
    shelf()

    page = place(browser, **typed)

    assert (page.status_code, told in text_of(page)) == (200, True)
    assert not StandingOrder.objects.exists()


def test_the_page_tells_how_it_stands_what_was_reserved_and_why(browser):
    shelf()

    page = browser.get(placed(browser))

    told = text_of(page)
    assert "2 units of vCPU" in told
    assert "6 of the next 6 hours are reserved" in told
    assert "Active Kept" in told
    assert "The reservation of Site of Nauen Compute vCPU goes on" in told
    assert f'href="/reservations/{Reservation.objects.get().public_id}/"' in page.content.decode()
    listed = text_of(browser.get("/reservations/"))
    assert "2 units of vCPU up to $1.00 a unit-hour" in listed
    assert "6 of 6 h" in listed


def test_want_of_a_price_is_told_in_words(browser):
    shelf()

    page = text_of(browser.get(placed(browser, price="0.01")))

    assert "Not kept" in page
    assert "Not every hour ahead is reserved: whatever else fits costs more than you allow." in page
    assert "6 hours are not reserved: whatever else fits costs more than you allow." in page


def test_it_is_paused_resumed_and_cancelled_at_its_buttons(browser):
    shelf()
    where = placed(browser)

    states = []
    for do in ("pause", "resume", "cancel"):
        browser.post(f"{where}move/", {"do": do})
        states.append(StandingOrder.objects.get().state)

    assert states == ["paused", "active", "cancelled"]
    page = browser.get(where)
    assert "Cancelled: nothing more is bought" in text_of(page)
    assert "Change the cap" not in text_of(page)
    assert Reservation.objects.get().state in {"confirmed", "active"}


def test_its_cap_is_changed_on_its_page_but_not_below_what_is_promised(browser):
    shelf()
    where = placed(browser)

    browser.post(f"{where}move/", {"do": "cap", "cap": "600"})
    assert value_of(browser.get(where).content.decode(), "cap") == "600.00"

    for typed in ("0.01", "much"):
        page = browser.post(f"{where}move/", {"do": "cap", "cap": typed}, follow=True)
        assert 'class="notice bad' in page.content.decode()
        assert StandingOrder.objects.get().budget.limit_minor == 60_000


def test_a_strangers_order_is_not_found(browser):
    shelf()
    where = placed(browser)
    stranger = signed_in(make_organization(), Role.BUYER)

    assert stranger.get(where).status_code == 404
    assert stranger.post(f"{where}move/", {"do": "cancel"}).status_code == 404
    assert StandingOrder.objects.get().state == "active"


def test_the_page_speaks_chinese_too(browser):
    shelf()
    where = placed(browser)
    browser.cookies["django_language"] = "zh-hans"

    page = browser.get(where)

    assert "未来" in text_of(page)
