"""The overview of green hours that nobody has bought: what own plants would run, its money, and buttons that act."""

import re
from datetime import timedelta

import pytest

from accounts.models import Role
from frontend.console.hours import OfferHour
from frontend.console.unsold import green_sites, worth_mm
from marketplace.booking.hours import hour_of_week
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import hold_units
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from marketplace.common.units import PPM
from marketplace.energy.models import ReceiptStep
from marketplace.energy.supply import take
from marketplace.events.models import Event
from tests.energy.evidence import make_lot
from tests.energy.plants import make_served
from tests.frontend.stage import HOUR, shelf, signed_in, text_of, value_of
from tests.market import MONDAY, make_cpu, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider():
    return make_organization("Nauen Compute")


@pytest.fixture
def browser(provider):
    return signed_in(provider, Role.PROVIDER)


@pytest.fixture
def offer(provider):
    """Eight units of 9 W at 10.00 an hour; a plant makes 36 Wh in each hour, day and night."""
    found = shelf(units=8, provider=provider, rate_mm=1_000_000)
    make_served(found.site.point, hour_floor(utc_now()), days=40, wh=[36], technology="hydro")
    return found


def hours_of(units: int, *promised: int, own_ppm: int) -> list[OfferHour]:
    return [OfferHour(MONDAY + n * HOUR, units, each, 0, 0, "forecast", own_ppm) for n, each in enumerate(promised)]


def cut(browser, offer, **changes):
    start = hour_floor(utc_now()) + 2 * HOUR
    form = {"start": f"{start:%Y-%m-%dT%H:00Z}", "end": f"{start + 3 * HOUR:%Y-%m-%dT%H:00Z}", "percent": 10,
            "version": offer.version} | changes  # fmt: skip
    return browser.post(f"/console/offers/{offer.public_id}/lower/", form, follow=True)


def beside(browser, offer, **changes):
    return browser.post(f"/console/offers/{offer.public_id}/beside/", {"version": offer.version} | changes, follow=True)


def test_own_power_serves_what_is_sold_first_and_then_free_units():
    offer = make_offer(make_site(pue_ppm=PPM), hardware=make_cpu(), units=10, rate_mm=1_000)  # 7 W a unit
    machines = {offer.pk: hours_of(10, 0, 4, 6, 10, own_ppm=500_000)}  # 35 of 70 Wh

    [site] = green_sites(offers=[offer], machines=machines, watts={offer.site.point_id: 70})

    assert [(hour.on_green, hour.unsold, hour.wh) for hour in site.hours] == [
        (0, 5, 35),
        (4, 1, 7),
        (5, 0, 0),
        (5, 0, 0),
    ]
    assert (site.free, site.unsold, site.wh, worth_mm(offer, site.hours)) == (20, 6, 42, 6_000)


def test_free_units_never_get_more_than_they_would_use():
    offer = make_offer(make_site(pue_ppm=PPM), hardware=make_cpu(), units=10)

    [site] = green_sites(
        offers=[offer], machines={offer.pk: hours_of(10, 8, own_ppm=1_000_000)}, watts={offer.site.point_id: 70}
    )

    assert [(hour.on_green, hour.unsold, hour.wh) for hour in site.hours] == [(8, 2, 14)]


def test_two_offers_of_a_point_share_its_power_by_what_their_free_units_use():
    site = make_site(pue_ppm=PPM)
    small = make_offer(site, hardware=make_cpu(), units=10)
    large = make_offer(site, units=2)  # 980 W each
    machines = {small.pk: hours_of(10, 0, own_ppm=500_000), large.pk: hours_of(2, 1, own_ppm=500_000)}

    [found] = green_sites(offers=[small, large], machines=machines, watts={site.point_id: 2_100})

    # 1,050 Wh: 980 for the sold unit, 70 left over 70 and 980 Wh of free units
    [hour] = found.hours
    assert (hour.on_green, hour.wh, dict(hour.units)) == (1, 70, {small.pk: 0, large.pk: 0})


def test_the_overview_tells_unsold_green_hours_their_energy_and_their_money(browser, offer):
    told = text_of(browser.get("/console/"))

    # 36 of 72 Wh in each of 48 hours: 4 of 8 units, 192 unit-hours at 10.00
    assert "Unsold green hours, next 48 h 192 unit-h forecast, worth $1,920.00 at present prices" in told
    assert re.search(r"Site of Nauen Compute 384 192 1\.73 kWh, in 48 hours \$1,920\.00", told)


def test_seven_days_are_a_link_away(browser, offer):
    page = browser.get("/console/?hours=168")

    assert "Unsold green hours, next 7 days 672 unit-h" in text_of(page)
    assert '<a href="?hours=168" aria-current="true">7 days</a>' in page.content.decode()


def test_what_is_sold_is_served_first(browser, offer):
    start = hour_floor(utc_now()) + 2 * HOUR
    hold_units(buyer=make_organization(), offer=offer, units=4, start=start, end=start + 2 * HOUR, now=utc_now())

    assert "next 48 h 184 unit-h" in text_of(browser.get("/console/"))


def test_machines_that_two_offers_share_count_once(browser, offer):
    beside(browser, offer)
    loose = Offer.objects.get(twin=offer)
    start = hour_floor(utc_now()) + 2 * HOUR
    hold_units(buyer=make_organization(), offer=loose, units=4, start=start, end=start + HOUR, now=utc_now())

    told = text_of(browser.get("/console/"))

    assert "next 48 h 188 unit-h" in told
    assert "Sold this hour 0% 0 of 8 units" in told


def test_the_money_of_each_cut_stands_before_its_button(browser, offer):
    page = browser.get("/console/")

    # the best six hours: 24 unit-hours
    told = text_of(page)
    assert "24 unit-hours of own power are unsold. At $10.00 they bring $240.00." in told
    assert "−5% $9.50 up to $228.00 −10% $9.00 up to $216.00 −20% $8.00 up to $192.00" in told
    assert value_of(page.content.decode(), "version") == str(offer.version)


def test_lowering_changes_those_hours_and_no_others(browser, offer):
    start = hour_floor(utc_now()) + 2 * HOUR

    answer = cut(browser, offer)

    offer.refresh_from_db()
    lowered = {hour_of_week(start + n * HOUR) for n in range(3)}
    assert {hour for hour, rate in enumerate(offer.rate_mm) if rate == 900_000} == lowered
    assert sorted(set(offer.rate_mm)) == [900_000, 1_000_000]
    assert "The price is lowered in these hours of every week; contracts keep theirs." in text_of(answer)


def test_lowering_from_a_page_that_is_old_changes_nothing(browser, offer):
    form = {"version": offer.version}
    cut(browser, offer)
    again = cut(browser, offer, **form)

    offer.refresh_from_db()
    assert sorted(set(offer.rate_mm)) == [900_000, 1_000_000]
    assert "was changed meanwhile" in text_of(again)


@pytest.mark.parametrize(
    "changes",
    [
        {"percent": 50}, {"percent": "x"}, {"percent": -10}, {"start": ""}, {"start": "2026-11-24"},
        {"start": "2020-01-01T00:00Z", "end": "2020-01-01T03:00Z"}, {"end": "2099-01-01T00:00Z"},
        {"start": "2099-01-02T00:00Z", "end": "2099-01-01T00:00Z"}, {"version": ""},
    ],
)  # fmt: skip
def test_what_was_not_offered_is_not_done(browser, offer, changes):
    cut(browser, offer, **changes)

    offer.refresh_from_db()
    assert set(offer.rate_mm) == {1_000_000}


def test_an_interruptible_offer_stands_beside_at_the_shown_price(browser, offer):
    shown = text_of(browser.get("/console/"))
    assert "30% under the firm price in every hour: $7.00 in these, up to $168.00 for what is green." in shown

    answer = beside(browser, offer)

    made = Offer.objects.get(twin=offer)
    assert (made.tier, made.state, made.units, set(made.rate_mm)) == ("interruptible", "live", 8, {700_000})
    assert made.title == f"{offer.title} · interruptible"
    assert CapacityDay.objects.filter(offer=made).count() == CapacityDay.objects.filter(offer=offer).count()
    assert "offer.live" in [event.type for event in Event.objects.of_object(made.public_id)]
    assert "An interruptible offer stands beside it now; firm buyers go first." in text_of(answer)
    assert "Sell them as interruptible" not in text_of(browser.get("/console/"))


def test_a_second_offer_beside_it_or_one_at_other_prices_is_refused(browser, offer):
    old = {"version": offer.version}
    cut(browser, offer)
    stale = beside(browser, offer, **old)
    assert "was changed meanwhile" in text_of(stale)
    assert Offer.objects.count() == 1

    offer.refresh_from_db()
    for _ in range(2):
        beside(browser, offer)
    assert Offer.objects.count() == 2


def test_nobody_acts_on_anothers_offer_and_buyers_on_none(offer):
    for browser, status in (
        (signed_in(make_organization("Other"), Role.PROVIDER), 404),
        (signed_in(make_organization(), Role.BUYER), 403),
    ):
        assert cut(browser, offer).status_code == status
        assert beside(browser, offer).status_code == status
    offer.refresh_from_db()
    assert (set(offer.rate_mm), Offer.objects.count()) == ({1_000_000}, 1)


def test_a_plant_that_is_known_for_too_short_counts_nothing(browser, provider):
    offer = shelf(units=8, provider=provider)
    make_served(offer.site.point, hour_floor(utc_now()), days=5, wh=[30])

    told = text_of(browser.get("/console/"))

    assert "Green power you have not sold" not in told
    assert "Sun you have not sold" in told  # the grid's share, by its own name


def test_where_all_own_power_is_sold_the_page_says_so(browser, offer):
    now = hour_floor(utc_now())
    last = now + timedelta(hours=48)
    hold_units(buyer=make_organization(), offer=offer, units=8, start=now, end=last, now=utc_now())

    told = text_of(browser.get("/console/"))

    assert "Every green unit is sold" in told
    assert "all of it is sold" in told
    assert "Lower the price" not in told


def test_more_sites_ask_no_more_queries(browser, offer, provider, django_assert_max_num_queries):
    for _ in range(3):
        other = make_offer(make_site(provider), hardware=make_cpu(), units=8, now=utc_now())
        make_served(other.site.point, hour_floor(utc_now()), days=40, wh=[36], technology="hydro")

    with django_assert_max_num_queries(32):
        told = text_of(browser.get("/console/"))
    assert told.count("in 48 hours") == 4


def test_statements_that_are_due_are_told_on_the_first_page(browser, offer, provider):
    assert "of a registry is due" not in text_of(browser.get("/console/"))
    lot = make_lot(1_000, holder=provider, point=offer.site.point)
    take(lots=[lot.pk], wh=220, old="available", new="reserved", subject="rsv_1", now=utc_now())
    ReceiptStep.objects.create(subject="rsv_1", step="final", due_at=utc_now() + timedelta(days=30))

    assert "1 statement of a registry is due. See what to cancel" in text_of(browser.get("/console/"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_carries_no_inline_style_or_script_and_each_id_once(browser, offer, language):
    html = browser.get("/console/", headers={"accept-language": language}).content.decode()
    ids = re.findall(r'\sid="([^"]+)"', html)

    assert len(ids) == len(set(ids))
    assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<c-", html)
