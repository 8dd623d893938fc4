"""The operators' view of shelf, promises, journal, jobs and rounds: everything to look at, no state to write."""

import zlib
from datetime import timedelta

import pytest
from django.contrib.admin import site as admin_site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import Role, User
from accounts.services import add_member
from marketplace.booking.changing import extend
from marketplace.booking.disputing import open_dispute
from marketplace.booking.goodwill import BOOKS
from marketplace.booking.models import Reservation, Settlement
from marketplace.booking.services import confirm, hold_units
from marketplace.booking.standing import Wish, note_bought, place_order
from marketplace.booking.waiting import Wanted as Waited
from marketplace.booking.waiting import join
from marketplace.catalog.models import HardwareClass, Offer, Site
from marketplace.common.clock import hour_floor
from marketplace.common.errors import NotFound
from marketplace.common.ids import new_id
from marketplace.events.models import Event, InvariantRun
from marketplace.ledger.invoices import Head, Item, issue
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.manual import Wanted, ask
from marketplace.ledger.models import AutoTopup, BillingDetails, TaxRule
from marketplace.ledger.services import account_of, post
from scheduler.cycle import run_round
from scheduler.leases import claim_leases
from scheduler.models import Agent, Job, MatchRound
from tests.booking.earning import deal_of, earned, matured
from tests.ledger.cashier import Cashier
from tests.ledger.gateways.scene import a_key, sandbox_scene
from tests.market import (
    NOON,
    make_hardware,
    make_member,
    make_offer,
    make_organization,
    make_place,
    make_site,
    make_zone,
)
from tests.scheduler.scene import TestAgent, allocated, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
APPS = {"catalog", "booking", "events", "ledger", "scheduler"}
PAGES = {
    f"{model._meta.app_label}/{model._meta.model_name}": admin
    for model, admin in admin_site._registry.items()
    if model._meta.app_label in APPS
}
KEPT_BY_OPERATORS = {"catalog/place", "catalog/site", "catalog/hardwareclass", "catalog/latency", "ledger/taxrule"}


@pytest.fixture(autouse=True)
def _plain_pages(settings):
    """No second factor, no collected static files."""
    settings.REQUIRE_OPERATOR_MFA = False
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


def browser(role):
    """Signed in as somebody new with this role."""
    user = User.objects.create_user(f"{role}@example.test", "a long password")
    add_member(organization=make_organization(), user=user, role=role, now=NOON)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator():
    return browser(Role.OPERATOR)


def fill(now=NOON):
    """At least one row on every page but usage and quotes."""
    offer = make_cpu_offer(now=now)
    make_place(f"place-{offer.pk}", **{offer.site.public_id: 5})
    attempt = allocated(offer, now=now)
    agent = TestAgent(offer, now=now)
    claim_leases(agent=Agent.objects.get(site=offer.site), most=1, now=now)
    held = hold_units(
        buyer=make_organization(), offer=offer, units=1, start=now + timedelta(hours=5),
        end=now + timedelta(hours=6), now=now,
    )  # fmt: skip
    extend(reservation=confirm(reservation=held, now=now), hours=1, now=now)
    order = place_order(
        buyer=held.buyer, wish=Wish(1, {"accelerator": ["vCPU"], "price__lte": 100}, 10**6), now=now
    )  # fmt: skip
    note_bought(
        order=order, reservation=held, hours=[hour_floor(now + timedelta(hours=5))], now=now, total_minor=1,
        longer=False,
    )  # fmt: skip
    join(buyer=held.buyer, wanted=Waited(1, 1, {"accelerator": ["vCPU"]}), family="cpu", now=now)
    money_comes_in(now)
    InvariantRun.objects.create(finished_at=now, outcome=InvariantRun.KEPT, ms=1)
    TaxRule.objects.create(
        seller_country="DE", buyer_country="FR", business=True, tax_bp=0, text="Reverse charge",
        valid_from=now.date(), valid_to=now.date(),
    )  # fmt: skip
    money_goes_out(now)
    return offer, attempt, agent


def money_comes_in(now):
    """A journal, its accounts and an invoice; at the sandbox a payment, a part of it refunded and the rest disputed."""
    buyer = make_organization()
    clearing = account_of(kind="stripe_clearing", owner=None, asset="USD", livemode=False)
    wallet = account_of(kind="buyer_available", owner=buyer, asset="USD", livemode=False)
    post(kind="topup", ref=buyer.public_id, lines=[debit(clearing, 5), credit(wallet, 5)], now=now, actor="test")
    scene = sandbox_scene()
    paid = scene.paid()
    scene.gateway.create_refund(key=a_key(), intent=paid.intent, amount=1)
    scene.dispute(paid.intent)
    BillingDetails.objects.create(organization=buyer, legal_name="Buyer Ltd", updated_at=now)
    charged = Item(buyer.public_id, 5, 0, 0, {"type": "charge"})
    issue(head=Head(buyer, "USD", False, now, now + timedelta(days=1)), items=[charged], now=now)


def money_goes_out(now):
    """A refund, disputes of a payment and of a charge, a payout, a goodwill credit and a settlement."""
    cashier = Cashier(timezone.now())
    deal = deal_of()
    cashier.provider = deal.provider
    cashier.onboarded()
    payment = cashier.topped_up(5_000, save=True)
    cashier.refund(1)
    cashier.dispute(cashier.topped_up(1_000))
    cashier.hear()
    matured(deal)
    line = earned(deal, attempt=new_id("att"))
    open_dispute(line=line, buyer=deal.buyer, reason="not_delivered", text="", now=NOON)
    cashier.pay_out()
    wanted = Wanted("goodwill", "USD", False, 5, "sorry", organization=cashier.buyer)
    by = make_member(make_organization(), Role.OPERATOR)
    ask(wanted=wanted, by=by, request_key=by.email, now=now, books=BOOKS)
    Settlement.objects.create(
        public_id=new_id("stl"), job=new_id("job"), buyer=cashier.buyer, asset="USD", livemode=False, charged_minor=1,
        released_minor=1, created_at=now,
    )  # fmt: skip
    AutoTopup.objects.create(
        public_id=new_id("atp"), organization=cashier.buyer, asset="USD", livemode=False, threshold=1, amount=500,
        daily_cap=500, card=payment, created_at=now,
    )  # fmt: skip


def test_every_model_of_the_market_has_its_page():
    assert {
        "catalog/offer", "catalog/site", "catalog/hardwareclass", "catalog/place", "catalog/latency",
        "booking/capacityday", "booking/quote", "booking/reservation", "booking/contract", "booking/usagerecord",
        "booking/reservationday", "booking/reservationchange",
        "ledger/taxrule", "ledger/billingdetails", "ledger/invoice", "ledger/invoiceline", "ledger/invoiceseries",
        "ledger/account", "ledger/journal", "ledger/entry", "ledger/hold", "ledger/payment", "ledger/refund",
        "ledger/gatewaycall", "ledger/webhookreceipt", "ledger/carddispute", "ledger/payee", "ledger/payout",
        "ledger/journalrequest", "ledger/autotopup", "booking/chargeline", "booking/servicecredit",
        "booking/settlement", "booking/usagedispute", "booking/standingorder", "booking/standinghour", "booking/wait",
        "ledger/sandboxpayment", "ledger/sandboxrefund",
        "ledger/sandboxdispute", "ledger/sandboxdelivery",
        "events/event", "events/invariantrun", "scheduler/job", "scheduler/attempt", "scheduler/allocation",
        "scheduler/agent",
        "scheduler/gang", "scheduler/lease", "scheduler/matchround", "scheduler/segmentreference",
        "scheduler/segmentuse",
    } == set(PAGES)  # fmt: skip


@pytest.mark.parametrize("model", admin_site._registry, ids=lambda model: model._meta.label_lower)
def test_every_page_has_a_chinese_name(model):
    with translation.override("zh-hans"):
        names = str(model._meta.verbose_name), str(model._meta.verbose_name_plural)

    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in name) for name in names), names


def test_what_the_api_says_of_a_missing_row_names_it_in_english():
    with translation.override("zh-hans"), pytest.raises(NotFound, match="there is no reservation rsv_x"):
        Reservation.objects.by_public_id("rsv_x")


@pytest.mark.parametrize("page", PAGES)
def test_an_operator_sees_the_list_searches_it_and_opens_a_row(operator, page):
    fill()

    assert operator.get(f"/admin/{page}/").status_code == 200
    assert operator.get(f"/admin/{page}/?q=x").status_code == 200
    row = PAGES[page].model._default_manager.first()
    if row is not None:
        assert operator.get(f"/admin/{page}/{row.pk}/change/").status_code == 200
    assert row is not None or page in {"booking/quote", "booking/usagerecord", "scheduler/gang"}


@pytest.mark.parametrize("page", sorted(set(PAGES) - KEPT_BY_OPERATORS))
def test_what_services_write_nobody_adds_changes_or_deletes_by_hand(operator, page):
    fill()
    row = PAGES[page].model._default_manager.first()

    assert operator.get(f"/admin/{page}/add/").status_code == 403
    if row is not None:
        assert operator.post(f"/admin/{page}/{row.pk}/change/", {"state": "retired"}).status_code == 403
        assert operator.post(f"/admin/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("page", sorted(PAGES))
def test_an_auditor_looks_and_a_buyer_stays_outside(page):
    auditor = browser(Role.AUDITOR)

    assert auditor.get(f"/admin/{page}/").status_code == 200
    assert auditor.get(f"/admin/{page}/add/").status_code == 403
    assert browser(Role.BUYER).get(f"/admin/{page}/").status_code == 302


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_longer_list_costs_no_more_queries(operator, page):
    fill()

    def queries():
        with CaptureQueriesContext(connection) as caught:
            operator.get(f"/admin/{page}/")
        return len(caught)

    queries()
    before = queries()
    fill(NOON + timedelta(minutes=1))

    assert queries() == before


def test_an_operator_pauses_what_is_live_and_is_told_what_cannot_be_paused(operator):
    live, draft = make_offer(), make_offer(state="draft")
    order = {"action": "pause", "_selected_action": [live.pk, draft.pk]}

    answer = operator.post("/admin/catalog/offer/", order, follow=True)

    live.refresh_from_db()
    draft.refresh_from_db()
    assert (live.state, live.version, draft.state) == ("paused", 2, "draft")
    assert Event.objects.get(object_id=live.public_id).type == "offer.paused"
    assert draft.public_id in answer.content.decode()


def test_an_auditor_pauses_nothing():
    offer = make_offer()

    browser(Role.AUDITOR).post("/admin/catalog/offer/", {"action": "pause", "_selected_action": [offer.pk]})

    assert Offer.objects.get(pk=offer.pk).state == "live"


def test_a_site_is_added_by_the_operator_and_keeps_its_provider(operator):
    provider, other = make_organization("Nauen Compute"), make_organization("Other")
    form = {
        "provider": provider.pk, "name": "North Hall", "locality": "Nauen", "kind": "datacenter", "country": "DE",
        "region": "eu-central", "latitude": "52.6", "longitude": "12.9", "zone": make_zone().pk, "pue_ppm": "1200000",
    }  # fmt: skip

    answer = operator.post("/admin/catalog/site/add/", form)
    site = Site.objects.get(name="North Hall")
    operator.post(f"/admin/catalog/site/{site.pk}/change/", form | {"provider": other.pk, "region": "eu-north"})

    assert answer.status_code == 302
    site.refresh_from_db()
    assert (site.provider, site.region) == (provider, "eu-north")
    assert site.public_id.startswith("sit_")


def test_hardware_that_offers_stand_on_is_not_deleted(operator):
    hardware = make_hardware()
    make_offer(make_site(), hardware=hardware)

    assert operator.post(f"/admin/catalog/hardwareclass/{hardware.pk}/delete/", {"post": "yes"}).status_code == 403
    assert HardwareClass.objects.filter(pk=hardware.pk).exists()


def test_what_a_buyer_runs_is_not_shown_to_operators(operator):
    _, attempt, _ = fill()
    Job.objects.filter(pk=attempt.job_id).update(spec={"run": "train --token s3cret", "env": {"KEY": "s3cret"}})

    html = operator.get(f"/admin/scheduler/job/{attempt.job_id}/change/").content.decode()

    assert attempt.job.public_id in html
    assert "s3cret" not in html


def replayed(client, *rounds):
    """What the page says after the action on these rounds, the tags left out."""
    order = {"action": "decide_again", "_selected_action": [round_.pk for round_ in rounds]}
    return client.post("/admin/scheduler/matchround/", order, follow=True).content.decode()


@pytest.fixture
def decided():
    """A round that placed one job."""
    make_cpu_offer(now=NOON)
    make_job(now=NOON)
    round_ = run_round(segment="cpu", now=NOON)
    assert round_ is not None
    return round_


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR])
def test_a_round_is_replayed_from_its_page(decided, role):
    assert f"{decided.public_id}: the same plan, byte for byte." in replayed(browser(role), decided)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"snapshot": None}, "its snapshot is gone"),
        ({"core_version": "0"}, "decided by version 0"),
        ({"result": zlib.compress(b"{}")}, "another plan"),
    ],
)
def test_a_replay_says_why_it_is_not_the_same(operator, decided, change, words):
    MatchRound.objects.filter(pk=decided.pk).update(**change)

    assert f"{decided.public_id}: {words}" in replayed(operator, decided)


RULE = {
    "seller_country": "DE", "buyer_country": "DE", "business": "", "tax_bp": "1900", "text": "VAT 19 %",
    "valid_from": "2026-01-01", "valid_to": "",
}  # fmt: skip


def test_an_operator_begins_a_tax_rule_and_ends_it_and_nothing_else_of_it_changes(operator):
    operator.post("/admin/ledger/taxrule/add/", RULE)
    rule = TaxRule.objects.get()
    operator.post(f"/admin/ledger/taxrule/{rule.pk}/change/", RULE | {"tax_bp": "700", "valid_to": "2026-07-01"})

    rule.refresh_from_db()
    assert (rule.tax_bp, str(rule.valid_to), rule.version) == (1_900, "2026-07-01", 2)
    events = Event.objects.filter(object_id=rule.public_id)
    assert list(events.values_list("type", flat=True)) == ["tax_rule.added", "tax_rule.ended"]
    assert events[1].facts["valid_to"] == "2026-07-01"
    assert events[1].facts["actor"].startswith("person:")


def test_a_rule_in_the_time_of_another_is_refused_with_words(operator):
    operator.post("/admin/ledger/taxrule/add/", RULE)

    answer = operator.post("/admin/ledger/taxrule/add/", RULE | {"valid_from": "2026-03-01"})

    assert "Another rule holds" in answer.content.decode()
    assert TaxRule.objects.count() == 1


def test_an_auditor_ends_no_rule(operator):
    operator.post("/admin/ledger/taxrule/add/", RULE)
    rule = TaxRule.objects.get()

    answer = browser(Role.AUDITOR).post(f"/admin/ledger/taxrule/{rule.pk}/change/", {"valid_to": "2026-07-01"})

    rule.refresh_from_db()
    assert (answer.status_code, rule.valid_to) == (403, None)
