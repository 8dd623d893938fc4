"""The supermarket's front page and the page that compares."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from marketplace.common.clock import hour_floor, rfc3339, utc_now
from tests.energy.evidence import make_share
from tests.energy.plants import make_plant, make_served
from tests.frontend.market_stall import NEED, stock
from tests.frontend.stage import HOUR, text_of

pytestmark = pytest.mark.django_db


def titles(answer):
    """The offers listed, in their order."""
    return re.findall(r'<h3 id="ofr_\w+-name">.*?<a href="[^"]+">([^<]+)</a>', answer.content.decode(), re.S)


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


def test_a_looser_limit_promises_only_the_offers_it_admits(visitor):
    stock("Hall One", latency_ms=20)
    stock("Hall Two", latency_ms=30)

    page = visitor.get(f"/?{NEED}&latency_ms__lte=1")

    assert "Latency up to 20 ms 1 offer" in text_of(page)


def test_a_deadline_too_near_offers_a_later_one(visitor):
    stock("Hall One")
    soon = hour_floor(utc_now()) + 2 * HOUR

    page = visitor.get(f"/?{NEED}&finish__lte={rfc3339(soon)}")

    way = re.search(r'class="relax" href="([^"]+)"', page.content.decode())
    assert titles(visitor.get("/" + way[1].replace("&amp;", "&"))) == ["Hall One H100"]


def test_a_value_that_cannot_be_used_is_named_with_its_mend(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}&renewable_share__gte=80&colour=red")

    assert page.status_code == 400
    assert "renewable_share__gte" in text_of(page)
    assert "Try 0.8" in text_of(page)
    assert "colour : there is no such filter" in text_of(page)
    assert titles(page) == ["Hall One H100"]


def test_a_latency_limit_without_a_place_asks_for_one(visitor):
    stock("Hall One")

    page = visitor.get("/?units=2&hours=3&latency_ms__lte=50")

    assert page.status_code == 400
    assert "latency needs a place to count from" in text_of(page)


def test_words_that_no_offer_has_leave_an_empty_shelf_and_the_way_back(visitor):
    stock("Hall One")

    page = visitor.get(f"/?{NEED}&q=nowhere")

    assert "No offer passes every filter" in text_of(page)
    assert "Drop: “nowhere” 1 offer" in text_of(page)


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


def test_offers_stand_side_by_side_over_one_window_with_the_best_marked(visitor):
    dear, fair = stock("Dear Park", rate_mm=300_000), stock("Fair Park", rate_mm=200_000)

    page = visitor.get(f"/compare/?offer={dear.public_id}&offer={fair.public_id}&{NEED}")

    html = page.content.decode()
    assert re.search(r'Total, all-in</th><td>\$18\.72</td><td><b class="best">\$12\.48</b>', html)
    assert "2 units for 3 hours · near Berlin" in text_of(page)


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


def test_sources_of_energy_and_its_time_are_filters_with_their_counts(visitor):
    near, far = stock("Sun Park"), stock("Grid Park")
    make_share(make_plant(near.site.point, technology="solar"), near.site.point)

    page = visitor.get(f"/?{NEED}")
    chosen = visitor.get(f"/?{NEED}&energy_source=solar&temporal_resolution=hour")

    assert "Sources of its energy" in text_of(page)
    assert re.search(r'name="energy_source"[^>]*value="solar"', page.content.decode())
    assert re.search(r'name="temporal_resolution"[^>]*value="hour"', page.content.decode())
    assert titles(chosen) == ["Sun Park H100"]
    assert far.title not in titles(chosen)
    assert "Known by the hour" in text_of(chosen)


def test_a_row_tells_what_is_matched_by_the_hour_or_that_it_is_unproven(visitor):
    proven, young = stock("Grid Park"), stock("Sun Park")
    make_served(young.site.point, hour_floor(utc_now()), days=20)

    text = text_of(visitor.get(f"/?{NEED}"))

    assert text.count("0% matched by the hour") == 1
    assert text.count("Matched by the hour: unproven") == 1
    assert proven.site.point != young.site.point
