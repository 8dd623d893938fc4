"""The page of one offer and the checkout."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.models import Role
from marketplace.booking.models import Quote, Reservation
from marketplace.booking.services import hold_units
from marketplace.common.clock import hour_floor, rfc3339, utc_now
from tests.frontend.market_stall import NEED, order, promised, stock
from tests.frontend.stage import HOUR, signed_in, text_of, value_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db


def test_an_offer_shows_its_week_its_energy_and_how_its_latency_is_known(visitor):
    offer = stock("Hall One", latency_ms=21)

    page = visitor.get(f"/offers/{offer.public_id}/?{NEED}")

    html, text = page.content.decode(), text_of(page)
    assert html.count('<th class="day" scope="row">') == 7
    assert "Energy facts One unit-hour in your window" in text
    assert "Berlin 21 ms by distance" in text
    assert "Reserve for $12.48" in text


@pytest.mark.parametrize("layer", ["carbon", "price", "renewable", "free"])
def test_each_layer_of_the_week_has_an_address(visitor, layer):
    offer = stock("Hall One")

    html = visitor.get(f"/offers/{offer.public_id}/?{NEED}&layer={layer}").content.decode()

    assert f'data-layer="{layer}"' in html


def test_the_hour_clicked_is_the_hour_priced(visitor):
    offer = stock("Hall One")
    start = hour_floor(utc_now()) + 30 * HOUR

    html = visitor.get(f"/offers/{offer.public_id}/?{NEED}&start={rfc3339(start)}").content.decode()

    assert value_of(html, "start").startswith(start.isoformat()[:16])
    assert len(re.findall(r'<td class="[^"]*\bw\b', html)) == 3


def test_sold_hours_name_the_next_free_hour_and_offers_like_it(visitor, buyer):
    offer, other = stock("Hall One", units=2), stock("Hall Two", units=2)
    now = utc_now()
    first = hour_floor(now)
    hold_units(buyer=buyer, offer=offer, units=2, start=first, end=first + 40 * HOUR, now=now)

    page = visitor.get(f"/offers/{offer.public_id}/?{NEED}&start={rfc3339(first + 10 * HOUR)}")

    assert "This offer cannot give you 2 units then: too few free units." in text_of(page)
    free = first + 40 * HOUR
    assert re.search(rf'Next free hour:.*?datetime="{re.escape(rfc3339(free))}"', page.content.decode())
    assert f"/offers/{other.public_id}/" in page.content.decode()


def test_an_offer_that_is_not_on_the_shelf_is_for_its_provider_alone(visitor):
    stock("Hall Two")
    draft = stock("Hall One", state="draft")
    provider = signed_in(draft.site.provider, Role.PROVIDER)

    assert visitor.get(f"/offers/{draft.public_id}/").status_code == 404
    assert "This offer is not on sale now." in text_of(provider.get(f"/offers/{draft.public_id}/"))


def test_a_stranger_who_orders_signs_in_and_comes_back_to_the_order(visitor):
    offer = stock("Hall One")

    answer = order(visitor, offer)

    assert answer.status_code == 302
    back = parse_qs(urlsplit(answer["Location"]).query)["next"][0]
    assert back.startswith(f"/offers/{offer.public_id}/?units=2&hours=3&near=berlin")
    assert not Quote.objects.exists()


def test_an_order_holds_the_hours_and_leads_to_the_checkout(browser, buyer):
    offer = stock("Hall One")
    start = hour_floor(utc_now()) + 5 * HOUR

    answer = order(browser, offer, start=rfc3339(start))

    held = Reservation.objects.get()
    assert (held.buyer, held.offer, held.state, held.start) == (buyer, offer, "held", start)
    assert promised(offer, start) == 2
    page = browser.get(answer["Location"])
    assert "held for you 9:5" in text_of(page)
    assert "Confirm for $12.48" in text_of(page)


def test_an_order_sent_twice_is_one_order(browser):
    offer = stock("Hall One")

    first, second = order(browser, offer), order(browser, offer)

    assert first["Location"] == second["Location"]
    assert Quote.objects.count() == Reservation.objects.count() == 1


def test_a_new_price_is_asked_for_without_ordering(browser):
    offer = stock("Hall One")

    answer = order(browser, offer, units="4", do="price")

    assert "units=4" in answer["Location"]
    assert not Quote.objects.exists()


def test_sold_hours_cannot_be_ordered_and_the_page_says_why(browser, buyer):
    offer = stock("Hall One", units=2)
    now = utc_now()
    start = hour_floor(now) + 5 * HOUR
    hold_units(buyer=buyer, offer=offer, units=1, start=start, end=start + HOUR, now=now)

    answer = order(browser, offer, start=rfc3339(start))

    assert "These hours cannot be held: too few free units." in text_of(browser.get(answer["Location"]))
    assert Reservation.objects.count() == 1
    assert promised(offer, start) == 1


def test_a_confirmed_checkout_leads_to_the_reservation_even_twice(browser):
    checkout = order(browser, stock("Hall One"))["Location"]

    answers = [browser.post(checkout, {"do": "confirm", "request_key": "key_b"}) for _ in range(2)]

    held = Reservation.objects.get()
    assert held.state == "confirmed"
    assert {answer["Location"] for answer in answers} == {f"/reservations/{held.public_id}/"}
    assert browser.get(checkout)["Location"] == f"/reservations/{held.public_id}/"


def test_letting_go_gives_the_hours_back(browser):
    offer = stock("Hall One")
    start = hour_floor(utc_now()) + 5 * HOUR
    checkout = order(browser, offer, start=rfc3339(start))["Location"]

    browser.post(checkout, {"do": "cancel", "request_key": "key_c"})

    assert Reservation.objects.get().state == "cancelled"
    assert promised(offer, start) == 0


def lapse(quote):
    """Ten minutes pass."""
    past = utc_now() - timedelta(minutes=20)
    Quote.objects.filter(pk=quote.pk).update(created_at=past, expires_at=past + timedelta(minutes=10))
    Reservation.objects.filter(quote=quote).update(expires_at=past + timedelta(minutes=10))


def test_an_expired_quote_is_quoted_anew_with_the_change_marked(browser):
    offer = stock("Hall One")
    start = hour_floor(utc_now()) + 5 * HOUR
    checkout = order(browser, offer, start=rfc3339(start))["Location"]
    lapse(Quote.objects.get())
    type(offer).objects.filter(pk=offer.pk).update(rate_mm=[300_000] * 168)

    page = browser.get(checkout)

    assert "Quoted anew" in text_of(page)
    assert re.search(r"\$12\.48</td><td><mark><b>\$18\.72</b></mark>", page.content.decode())
    assert "+50%" in text_of(page)
    assert "Hold for $18.72" in text_of(page)


def test_an_expired_quote_is_not_confirmed_but_held_anew(browser):
    checkout = order(browser, stock("Hall One"))["Location"]
    old = Quote.objects.get()
    lapse(old)

    refused = browser.post(checkout, {"do": "confirm", "request_key": "key_d"})
    again = browser.post(checkout, {"do": "again", "request_key": "key_e"})

    assert refused["Location"] == checkout
    fresh = Quote.objects.exclude(pk=old.pk).get()
    assert again["Location"] == f"/checkout/{fresh.public_id}/"
    assert Reservation.objects.get(quote=fresh).state == "held"
    assert not Reservation.objects.filter(state="confirmed").exists()


def test_an_expired_quote_is_asked_for_anew_with_the_words_of_its_search(browser):
    checkout = order(browser, stock("Hall One"))["Location"]
    quote = Quote.objects.get()
    lapse(quote)
    Quote.objects.filter(pk=quote.pk).update(request=quote.request | {"text": "nothing has this name"})

    assert "The same request finds nothing now" in text_of(browser.get(checkout))


def test_a_checkout_of_others_does_not_exist(browser):
    checkout = order(browser, stock("Hall One"))["Location"]
    stranger = signed_in(make_organization("Others"), Role.BUYER)

    assert stranger.get(checkout).status_code == 404
    assert stranger.post(checkout, {"do": "confirm"}).status_code == 404
    assert Reservation.objects.get().state == "held"
