"""The providers' console: unsold hours, offers and their prices, jobs as far as a provider may see them, agents."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.test import Client

from accounts.keys import parse_key
from accounts.models import ApiKey, Role
from frontend.console.hours import best_window
from frontend.console.offerforms import local_hours
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import hold_units
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from marketplace.events.models import Event
from tests.frontend.stage import FILE, HOUR, match, shelf, signed_in, submit, text_of, value_of
from tests.market import make_cpu, make_offer, make_organization, make_site, make_zone
from tests.scheduler.reserved import reserve, submit_inside

pytestmark = pytest.mark.django_db
EVERY_DAY = [str(day) for day in range(7)]


@pytest.fixture
def provider():
    return make_organization("Nauen Compute")


@pytest.fixture
def browser(provider):
    return signed_in(provider, Role.PROVIDER)


def draft(site, **changes):
    """A filled form of a new offer."""
    return {
        "site": site.public_id, "hardware": make_cpu().slug, "title": "Processors, north hall", "units": 4,
        "price": "1.64", "electricity": "0.0055", "tier": "firm", "term": "on_demand", "notice_minutes": 2,
        "boot_s": 60,
    } | changes  # fmt: skip


def reprice(offer, **changes):
    """A filled form of new prices."""
    return {"days": EVERY_DAY, "first": 0, "last": 24, "price": "2", "version": offer.version} | changes


def test_work_inside_a_reservation_stands_without_a_price_of_its_own(browser, provider):
    held = reserve(shelf(provider=provider), make_organization(), start=hour_floor(utc_now()), now=utc_now())
    job = submit_inside(held, now=utc_now())

    said = text_of(browser.get("/console/jobs/?state=live"))

    assert job.public_id in said
    assert "in a reservation" in said


def test_only_providers_enter_the_console():
    buyer = signed_in(make_organization(), Role.BUYER)

    for path in ("", "offers/", "offers/new/", "jobs/", "agents/"):
        assert buyer.get(f"/console/{path}").status_code == 403
        assert Client().get(f"/console/{path}")["Location"].startswith("/accounts/login/")


def test_a_new_offer_is_a_draft_with_exact_prices_and_hours_and_goes_live_by_its_button(browser, provider):
    site = make_site(provider)

    browser.post("/console/offers/new/", draft(site))
    offer = Offer.objects.get()

    assert (offer.state, set(offer.rate_mm), offer.electricity_mm_per_kwh) == ("draft", {164_000}, 550)
    assert CapacityDay.objects.filter(offer=offer, units_total=[4] * 24).count() == 16
    assert [event.type for event in Event.objects.of_object(offer.public_id)] == ["offer.created"]

    browser.post(f"/console/offers/{offer.public_id}/publish/")
    offer.refresh_from_db()
    assert offer.state == "live"


def test_an_offer_stands_only_at_a_site_of_its_own_provider(browser):
    answer = browser.post("/console/offers/new/", draft(make_site(make_organization("Somebody else"))))

    assert answer.status_code == 422
    assert Offer.objects.count() == 0


@pytest.mark.parametrize(("field", "value"), [("units", 0), ("price", "-1"), ("title", " "), ("tier", "golden")])
def test_a_wrong_field_of_a_new_offer_is_named_and_nothing_is_stored(browser, provider, field, value):
    answer = browser.post("/console/offers/new/", draft(make_site(provider), **{field: value}))

    assert answer.status_code == 422
    assert f'id="id_{field}-error"' in answer.content.decode()
    assert Offer.objects.count() == 0


def test_an_interruptible_offer_names_the_firm_one_on_its_machines_and_says_so(browser, provider):
    firm = make_offer(make_site(provider), hardware=make_cpu(), units=4)
    foreign = make_offer(hardware=make_cpu(), units=4)
    shared = draft(firm.site, tier="interruptible", twin=firm.public_id)

    for wrong, field in (({"twin": foreign.public_id}, "twin"), ({"units": 3}, "units"), ({"tier": "firm"}, "tier")):
        answer = browser.post("/console/offers/new/", shared | wrong)
        assert (answer.status_code, f'id="id_{field}-error"' in answer.content.decode()) == (422, True), wrong
    made = browser.post("/console/offers/new/", shared)

    page = browser.get(made["Location"]).content.decode()
    assert Offer.objects.get(twin=firm).units == 4
    assert f'href="/console/offers/{firm.public_id}/">{firm.title}</a>' in page


def test_a_new_price_holds_for_the_chosen_hours_and_leaves_contracts_alone(browser, provider):
    offer = make_offer(make_site(provider), now=utc_now(), rate_mm=100_000)
    start = hour_floor(utc_now()) + 2 * HOUR
    sold = hold_units(buyer=make_organization(), offer=offer, units=1, start=start, end=start + HOUR, now=utc_now())

    browser.post(f"/console/offers/{offer.public_id}/", reprice(offer, days=["0", "2"], first=10, last=12))

    offer.refresh_from_db()
    changed = [hour for hour, rate in enumerate(offer.rate_mm) if rate == 200_000]
    assert changed == [10, 11, 58, 59]
    assert offer.rate_mm.count(100_000) == 164
    assert offer.version == 2
    sold.contract.refresh_from_db()
    assert sold.contract.rate_mm == [100_000]


def test_prices_follow_the_clock_of_the_site():
    winter = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)

    assert local_hours({0}, range(0, 2), "Asia/Shanghai", winter) == [160, 161]
    assert local_hours({0}, range(0, 2), "America/Chicago", winter) == [6, 7]


def test_a_price_decided_on_an_older_version_is_refused(browser, provider):
    offer = make_offer(make_site(provider), now=utc_now(), rate_mm=100_000)
    old = reprice(offer)
    browser.post(f"/console/offers/{offer.public_id}/", reprice(offer, price="3"))

    answer = browser.post(f"/console/offers/{offer.public_id}/", old, follow=True)

    assert "The object has changed meanwhile" in text_of(answer)
    offer.refresh_from_db()
    assert set(offer.rate_mm) == {300_000}


def test_hours_that_end_before_they_start_are_refused(browser, provider):
    offer = make_offer(make_site(provider), now=utc_now(), rate_mm=100_000)

    answer = browser.post(f"/console/offers/{offer.public_id}/", reprice(offer, first=20, last=6))

    assert answer.status_code == 422
    assert "The end must come after the start" in text_of(answer)
    offer.refresh_from_db()
    assert set(offer.rate_mm) == {100_000}


def test_offers_are_paused_and_retired_for_good(browser, provider):
    offer = make_offer(make_site(provider), now=utc_now())
    page = f"/console/offers/{offer.public_id}/"

    browser.post(f"{page}pause/")
    offer.refresh_from_db()
    assert offer.state == "paused"

    browser.post(f"{page}retire/")
    answer = browser.post(f"{page}publish/", follow=True)
    offer.refresh_from_db()
    assert offer.state == "retired"
    assert "a offer that is retired cannot become live" in text_of(answer)


def test_another_providers_offer_is_not_there(browser):
    offer = make_offer(make_site(make_organization("Somebody else")), now=utc_now())

    assert browser.get(f"/console/offers/{offer.public_id}/").status_code == 404
    assert browser.post(f"/console/offers/{offer.public_id}/retire/").status_code == 404
    offer.refresh_from_db()
    assert offer.state == "live"


def test_without_plants_the_overview_counts_by_the_renewable_share_of_the_grid(browser, provider):
    offer = shelf(units=8, provider=provider)
    start = hour_floor(utc_now()) + 2 * HOUR
    hold_units(buyer=make_organization(), offer=offer, units=6, start=start, end=start + HOUR, now=utc_now())

    said = text_of(browser.get("/console/"))

    # Half of each hour's power is renewable: 4 of 8 units, and none where 6 are sold.
    assert "Unsold green hours, next 48 h 188 unit-h" in said
    assert "Agents connected 1/1 all answer" in said


def test_a_provider_whose_zone_has_no_history_still_sees_offers(browser, provider):
    offer = make_offer(make_site(provider, zone=make_zone("XX")), now=utc_now())

    for path in ("", "offers/", f"offers/{offer.public_id}/"):
        answer = browser.get(f"/console/{path}")
        assert answer.status_code == 200
        assert offer.title in text_of(answer)


def test_the_best_hours_to_sell_lie_around_the_peak():
    first = datetime(2026, 1, 12, tzinfo=UTC)

    found = best_window([0, 1, 5, 9, 6, 1, 0, 0], first)

    assert found is not None
    assert (found.start, found.end, found.unit_hours) == (first + 2 * HOUR, first + 5 * HOUR, 20)
    assert best_window([0, 0], first) is None


def test_a_provider_sees_that_a_job_runs_but_not_whose_it_is(browser, provider):
    shelf(provider=provider)
    job = submit(make_organization("Secret Lab"), FILE.replace("name: hello", "name: secret"))
    match()

    said = text_of(browser.get("/console/jobs/?state=live"))

    assert job.public_id in said
    assert "secret" not in said.lower()
    assert browser.get(f"/jobs/{job.public_id}/").status_code == 404


def test_a_key_is_shown_once_and_only_its_hash_is_kept(browser, provider):
    site = make_site(provider)

    issued = browser.post("/console/agents/", {"site": site.public_id, "name": "rack-a-1"})
    found = re.search(r"jm_test_\w+", issued.content.decode())

    assert found is not None
    key = ApiKey.objects.get()
    secret = parse_key(found[0]).secret
    assert (key.scopes, key.site) == (["agent"], site.public_id)
    assert secret not in str(ApiKey.objects.values().get())
    assert "no-store" in issued["Cache-Control"]
    assert secret not in browser.get("/console/agents/").content.decode()


def test_no_key_is_issued_for_another_providers_site(browser):
    site = make_site(make_organization("Somebody else"))

    answer = browser.post("/console/agents/", {"site": site.public_id, "name": "rack-a-1"})

    assert answer.status_code == 422
    assert ApiKey.objects.count() == 0


def test_a_revoked_key_is_refused_from_then_on(browser, provider):
    site = make_site(provider)
    browser.post("/console/agents/", {"site": site.public_id, "name": "rack-a-1"})
    key = ApiKey.objects.get()

    browser.post(f"/console/agents/keys/{key.public_id}/revoke/")

    key.refresh_from_db()
    assert not key.is_usable(utc_now())
    assert "No key yet." in text_of(browser.get("/console/agents/"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_console_carries_no_inline_style_or_script_and_each_id_once(browser, provider, language):
    offer = shelf(provider=provider)
    submit(make_organization())
    match()
    for path in ("", "offers/", "offers/new/", f"offers/{offer.public_id}/", "jobs/", "agents/"):
        html = browser.get(f"/console/{path}", headers={"accept-language": language}).content.decode()
        ids = re.findall(r'\sid="([^"]+)"', html)

        assert len(ids) == len(set(ids)), path
        assert len(re.findall(r"<h1[ >]", html)) == 1, path
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<c-", html), path


def test_the_price_of_an_hour_clicked_in_the_calendar_is_the_one_to_change(browser, provider):
    offer = shelf(provider=provider)
    start = hour_floor(utc_now()) + 3 * HOUR

    html = browser.get(f"/console/offers/{offer.public_id}/?start={start:%Y-%m-%dT%H:00Z}").content.decode()

    assert value_of(html, "price") == "0.04"
    assert re.search(rf'<option value="{start.hour}" selected>', html)


SIGNAL = {
    "en": ("Price signal", "No hour has been priced yet", "More buyers want this hour than it has units", "Use it"),
    "zh-hans": ("价格信号", "尚未为任何小时定价", "想要这一小时的买家多于可用单元", "采用"),
}


@pytest.mark.parametrize("language", SIGNAL)
def test_the_page_of_an_offer_tells_what_its_hours_could_be_sold_for(browser, provider, language):
    browser.cookies["django_language"] = language
    title, empty, why, use = SIGNAL[language]
    offer = shelf(provider=provider, units=1)
    before = text_of(browser.get(f"/console/offers/{offer.public_id}/"))
    end = (utc_now() + 2 * HOUR).isoformat()
    for number in range(3):
        text = FILE.replace("120", "3600").replace("hello", f"hello {number}")
        submit(make_organization(), text + f'    when: now\n    finish_by: "{end}"\n')
    match()

    page = browser.get(f"/console/offers/{offer.public_id}/")

    assert title in before
    assert empty in before
    for words in (title, why, use):
        assert words in text_of(page)
    assert empty not in text_of(page)
    link = re.search(r'href="(\?start=[^"]*price=([\d.]+)#reprice)"', page.content.decode())
    assert link is not None
    form = browser.get(f"/console/offers/{offer.public_id}/" + unescape(link[1]).split("#")[0]).content.decode()
    assert value_of(form, "price") == link[2]


def test_a_draft_has_no_price_signal(browser, provider):
    offer = shelf(provider=provider, state="draft")

    assert "Price signal" not in text_of(browser.get(f"/console/offers/{offer.public_id}/"))
