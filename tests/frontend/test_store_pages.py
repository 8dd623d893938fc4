"""The supermarket's pages: search, one offer, checkout, compare."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import Role
from marketplace.booking.models import CapacityDay, Quote, Reservation
from marketplace.booking.services import hold_units
from marketplace.common.clock import hour_floor, rfc3339, utc_now
from tests.frontend.stage import HOUR, signed_in, text_of, value_of
from tests.market import make_hardware, make_offer, make_organization, make_place, make_site
from tests.scheduler.scene import publish_hours

pytestmark = pytest.mark.django_db
NEED = "units=2&hours=3&near=berlin"


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


@pytest.fixture
def visitor():
    return Client()


def stock(name, *, latency_ms=20, rate_mm=200_000, kind="datacenter", **fields):
    """A live accelerator offer called `name`, so many ms from Berlin."""
    now = utc_now()
    site = make_site(make_organization(f"{name} Compute"), name=name, kind=kind)
    offer = make_offer(site, hardware=make_hardware(), now=now, rate_mm=rate_mm, **fields)
    publish_hours(site.zone, hour_floor(now))
    make_place(**{site.public_id: latency_ms})
    return offer


def titles(answer):
    """The offers listed, in their order."""
    return re.findall(r'<h3 id="ofr_\w+-name">.*?<a href="[^"]+">([^<]+)</a>', answer.content.decode(), re.S)


def order(browser, offer, **fields):
    """Press a button of the order box."""
    at = f"/offers/{offer.public_id}/?{NEED}"
    form = {"units": "2", "hours": "3", "near": "berlin", "do": "reserve", "request_key": "key_a"} | fields
    return browser.post(at, form)


def promised(offer, hour):
    return CapacityDay.objects.get(offer=offer, day=hour.date()).units_promised[hour.hour]


def test_a_stranger_sees_ranked_offers_with_all_in_prices_and_a_reason_each(visitor):
    stock("Dear Park", rate_mm=300_000)
    stock("Fair Park", rate_mm=200_000)

    page = visitor.get(f"/?{NEED}")

    assert titles(page) == ["Fair Park H100", "Dear Park H100"]
    assert "2 offers fit" in text_of(page)
    assert "$2.08 /GPU-h" in text_of(page)
    assert "$12.48 all-in" in text_of(page)
    assert "Ahead of B mainly on price." in text_of(page)


def test_a_first_visit_asks_for_eight_units_for_six_hours(visitor):
    stock("Fair Park", units=8)

    html = visitor.get("/").content.decode()

    assert re.search(r'<option value="8" selected', html)
    assert re.search(r'<option value="6" selected', html)


def test_the_page_ranks_as_the_api_does(visitor):
    for number in range(4):
        stock(f"Park {number}", rate_mm=200_000 + 7_000 * ((number * 3) % 4), latency_ms=10 + 5 * number)
    query = f"{NEED}&w_price=20&w_latency=60&w_green=20"

    page, api = visitor.get(f"/?{query}"), visitor.get(f"/api/v1/offers?{query}").json()

    assert titles(page) == [each["title"] for each in api["data"]]


def test_filters_narrow_the_shelf_and_each_chip_drops_one_of_them(visitor):
    stock("Near Edge", kind="edge", latency_ms=4)
    stock("Far Hall", latency_ms=80)

    page = visitor.get(f"/?{NEED}&kind=edge&latency_ms__lte=50")

    assert titles(page) == ["Near Edge H100"]
    chips = re.findall(r'<a class="chip" href="([^"]+)"', page.content.decode().replace("&amp;", "&"))
    asked = [parse_qs(urlsplit(chip).query) for chip in chips]
    assert [("kind" in each, "latency_ms__lte" in each) for each in asked] == [(False, True), (True, False)]


def test_filter_choices_show_how_many_offers_each_would_leave(visitor):
    stock("Near Edge", kind="edge")
    stock("Hall One")
    stock("Hall Two")

    html = visitor.get(f"/?{NEED}&kind=edge").content.decode()

    assert re.search(r'value="datacenter"[^>]*><span>Data centre</span><span class="n num">2<', html)
    assert re.search(r'value="edge"[^>]*checked[^>]*><span>Edge site</span><span class="n num">1<', html)


def test_an_empty_shelf_names_the_filter_to_drop_and_the_offers_that_return(visitor):
    stock("Hall One", latency_ms=20)
    stock("Hall Two", latency_ms=30)

    page = visitor.get(f"/?{NEED}&latency_ms__lte=1&kind=datacenter")

    assert titles(page) == []
    assert "Drop: Latency up to 1 ms 2 offers" in text_of(page)
    way = re.search(r'class="relax" href="([^"]+)"', page.content.decode())
    assert len(titles(visitor.get("/" + way[1].replace("&amp;", "&")))) == 2


def test_a_value_that_cannot_be_used_is_named_with_its_mend(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}&renewable_share__gte=80&colour=red")

    assert page.status_code == 400
    assert "renewable_share__gte" in text_of(page)
    assert "Try 0.8" in text_of(page)
    assert "colour: there is no such filter" in text_of(page)
    assert titles(page) == ["Hall One H100"]


def test_a_latency_limit_without_a_place_asks_for_one(visitor):
    stock("Hall One")

    page = visitor.get("/?units=2&hours=3&latency_ms__lte=50")

    assert page.status_code == 400
    assert "latency needs a place to count from" in text_of(page)


def test_four_starts_lead_to_their_addresses(visitor):
    stock("Hall One")

    html = visitor.get(f"/?{NEED}").content.decode()

    assert re.findall(r'class="start" href="[^"]*when=(\w+)"', html) == ["now", "balanced", "cheapest", "greenest"]


def test_a_script_gets_the_shelf_alone_and_the_address_it_stands_for(visitor):
    stock("Hall One")

    part = visitor.get(f"/?{NEED}&q=&kind=", headers={"HX-Request": "true"})

    assert "<html" not in part.content.decode()
    assert part["HX-Push-Url"] == f"/?{NEED}"
    assert "HX-Request" in part["Vary"]


def test_going_back_gets_the_whole_page(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})

    assert "<html" in page.content.decode()


def test_the_same_search_is_offered_as_a_command(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}&price__lte=250&renewable_share__gte=0.4")

    line = "joulemart search --units 2 --hours 3 --near berlin --price 2.50 --renewable-share 0.4"
    assert line in text_of(page)


def test_price_and_carbon_are_drawn_with_a_table_of_the_same(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}&view=map")

    assert "Ringed offers are not beaten on both price and carbon" in text_of(page)
    assert "Price per PFLOP-hour Carbon per PFLOP-hour Free units A Hall One H100" in text_of(page)


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
    draft = stock("Hall One", state="draft")
    provider = signed_in(draft.site.provider, Role.PROVIDER)

    assert visitor.get(f"/offers/{draft.public_id}/").status_code == 404
    assert provider.get(f"/offers/{draft.public_id}/").status_code == 200


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


def test_a_checkout_of_others_does_not_exist(browser):
    checkout = order(browser, stock("Hall One"))["Location"]
    stranger = signed_in(make_organization("Others"), Role.BUYER)

    assert stranger.get(checkout).status_code == 404
    assert stranger.post(checkout, {"do": "confirm"}).status_code == 404
    assert Reservation.objects.get().state == "held"


def test_offers_stand_side_by_side_over_one_window_with_the_best_marked(visitor):
    dear, fair = stock("Dear Park", rate_mm=300_000), stock("Fair Park", rate_mm=200_000)

    page = visitor.get(f"/compare/?offer={dear.public_id}&offer={fair.public_id}&{NEED}")

    html = page.content.decode()
    assert re.search(r'Total, all-in</th><td>\$18\.72</td><td><b class="best">\$12\.48</b>', html)
    assert "2 units for 3 hours , near Berlin" in text_of(page)


@pytest.mark.parametrize("query", ["", "offer=ofr_nothing"])
def test_fewer_than_two_offers_ask_to_choose_two(visitor, query):
    assert "Choose two offers" in text_of(visitor.get(f"/compare/?{query}"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_stay_small_and_free_of_inline_style_and_script(visitor, language):
    offers = [stock(f"Park {number}", rate_mm=200_000 + number * 1000) for number in range(12)]
    paths = [
        f"/?{NEED}",
        f"/?{NEED}&view=map",
        f"/offers/{offers[0].public_id}/?{NEED}",
        f"/compare/?offer={offers[0].public_id}&offer={offers[1].public_id}&{NEED}",
    ]

    for path in paths:
        html = visitor.get(path, headers={"Accept-Language": language}).content.decode()
        assert "<c-" not in html
        assert " style=" not in html
        assert not re.search(r"\son\w+=", html)
        assert not re.search(r"<script(?![^>]*\ssrc=)", html)
        assert len(re.findall(r"<[a-z]", html)) <= 1500
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert len(re.findall(r"<h1[ >]", html)) == 1
