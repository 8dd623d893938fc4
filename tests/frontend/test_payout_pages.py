"""A provider's payouts: what matures when, what keeps the next one, and of what each was made."""

import csv
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from marketplace.booking.models import ChargeLine
from marketplace.ledger import outbox
from marketplace.ledger.gateways.base import GatewayDeclined, GatewayUnknown
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.models import GatewayCall, Payee, Payout
from tests.booking.earning import WEEK, deal_of, earned, matured, owe
from tests.frontend.stage import signed_in, text_of
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db
HERE = "/console/payouts/"


@pytest.fixture
def deal(cashier):
    """A deal whose provider is not a payee yet, and a balance there to pay from."""
    deal = deal_of()
    cashier.provider = deal.provider
    cashier.topped_up(50_000)
    return deal


@pytest.fixture
def browser(deal):
    return signed_in(deal.provider, Role.PROVIDER)


def test_only_providers_see_payouts():
    buyer = signed_in(make_organization(), Role.BUYER)

    for path in (HERE, f"{HERE}onboarding/", f"{HERE}pot_1/", f"{HERE}pot_1/lines.csv"):
        assert buyer.get(path).status_code == 403
        assert Client().get(path)["Location"].startswith("/accounts/login/")
    assert buyer.post(f"{HERE}register/").status_code == 403
    assert not Payee.objects.exists()


def test_a_new_provider_reads_that_nothing_came_yet_and_how_it_is_paid(browser):
    text = text_of(browser.get(HERE))

    assert "Payable $0.00" in text
    assert "Register first: the processor needs to know whom it pays." in text
    assert "Nothing has been paid out yet." in text
    assert "Nothing is maturing." in text


def test_a_provider_registers_tells_who_it_is_and_comes_back_enabled(browser, deal):
    asked = browser.post(f"{HERE}register/")
    away = browser.get(asked["Location"])
    told = browser.post(away["Location"], {"told": "complete"})
    text = text_of(browser.get(re.sub(r"^https?://[^/]+", "", told["Location"])))

    payee = Payee.objects.get()
    assert asked["Location"] == f"{HERE}onboarding/"
    assert away["Location"].startswith(f"/sandbox/payees/{payee.account}/?link=")
    assert (payee.organization, payee.enabled) == (deal.provider, True)
    assert "the processor pays you" in text
    assert "Nothing is payable now." in text


def test_what_is_still_missing_is_named_and_a_fresh_link_is_a_button_away(browser):
    browser.post(f"{HERE}register/")
    first = browser.get(f"{HERE}onboarding/")["Location"]
    browser.post(first, {"told": "incomplete"})

    page = browser.get(HERE)

    assert "The processor does not pay you yet. It still wants to know: A document that shows who you are" in text_of(
        page
    )
    assert f'href="{HERE}onboarding/"' in page.content.decode()
    assert browser.get(f"{HERE}onboarding/")["Location"] != first


def test_registering_twice_asks_the_processor_once(browser):
    for _ in range(2):
        browser.post(f"{HERE}register/")

    assert Payee.objects.count() == GatewayCall.objects.filter(op="create_payee").count() == 1


def test_a_processor_that_is_away_is_told_and_nothing_is_lost(browser, monkeypatch):
    def away(*_, **__):
        raise GatewayUnknown("away")

    monkeypatch.setattr(SandboxGateway, "create_payee", away)
    assert "The processor is making your account" in text_of(browser.post(f"{HERE}register/", follow=True))
    monkeypatch.undo()
    outbox.send_due(now=timezone.now() + timedelta(minutes=1))
    monkeypatch.setattr(SandboxGateway, "payee_link", away)

    answer = browser.get(f"{HERE}onboarding/", follow=True)

    assert "The processor does not answer just now; try again in a minute." in text_of(answer)
    assert Payee.objects.get().account


def test_a_refused_account_says_why_and_may_be_asked_for_again(browser, monkeypatch):
    refuse = GatewayDeclined("no", reason="country_unsupported")
    monkeypatch.setattr(SandboxGateway, "create_payee", lambda *_, **__: (_ for _ in ()).throw(refuse))
    browser.post(f"{HERE}register/")
    page = browser.get(HERE)
    monkeypatch.undo()

    assert "The processor did not make an account: country_unsupported." in text_of(page)
    assert browser.post(f"{HERE}register/")["Location"] == f"{HERE}onboarding/"


def test_charges_mature_on_their_day_and_until_then_stand_with_the_providers_part(browser, deal):
    line = earned(deal)
    ChargeLine.objects.filter(pk=line.pk).update(matures_at=NOON + WEEK)

    text = text_of(browser.get(HERE))

    assert "Maturing $8.80" in text
    assert "2026-11-30 12:00 att_1" in text
    assert "3,600 $10.00 $8.80" in text


def test_a_line_that_a_buyer_objected_to_says_so_and_has_no_date(browser, deal):
    earned(deal)
    ChargeLine.objects.update(frozen=True)

    assert "objected to att_1" in text_of(browser.get(HERE))


@pytest.mark.parametrize(("lines", "says"), [
    (1, "$8.80 is payable; payouts are from $10.00 on."), (2, "$17.60 goes out within a quarter of an hour."),
])  # fmt: skip
def test_the_page_says_when_the_next_payout_is_or_what_keeps_it(browser, cashier, deal, lines, says):
    cashier.onboarded()
    matured(deal, lines=lines)

    assert says in text_of(browser.get(HERE))


def test_a_second_payout_of_a_day_waits_for_tomorrow(browser, cashier, deal):
    cashier.onboarded()
    matured(deal)
    cashier.pay_out()
    matured(deal, lines=4)

    assert "$35.20 goes out tomorrow: one payout is made each day." in text_of(browser.get(HERE))


def test_a_stopped_outbox_is_told_without_its_reason(browser, cashier, deal):
    cashier.onboarded()
    outbox.stop(gateway="sandbox", reason="the 28th differs by 17", now=cashier.now)

    text = text_of(browser.get(HERE))

    assert "Payouts wait while the operator looks into the books" in text
    assert "differs by 17" not in text


def test_what_is_owed_is_shown_and_taken_off(browser, cashier, deal):
    cashier.onboarded()
    owe(deal, 238)
    matured(deal)
    before = text_of(browser.get(HERE))
    [payout] = cashier.pay_out()

    page = text_of(browser.get(f"{HERE}{payout.public_id}/"))

    assert "Owed $2.38" in before
    assert "$15.22 goes out" in before
    assert "Matured charges below $17.60 Taken off for credits that were owed −$2.38 Transfer $15.22" in page


def test_a_payout_lists_every_line_that_it_is_made_of_also_as_a_table_to_file(browser, cashier, deal):
    cashier.onboarded()
    matured(deal)
    [payout] = cashier.pay_out()

    listed = text_of(browser.get(HERE))
    page = text_of(browser.get(f"{HERE}{payout.public_id}/"))
    rows = list(csv.DictReader(StringIO(browser.get(f"{HERE}{payout.public_id}/lines.csv").content.decode())))

    assert f"{payout.date} Paid" in listed
    assert page.count("$8.80") == 2
    assert [(row["attempt"], row["charge"], row["fee"], row["matured"], row["test_money"]) for row in rows] == [
        ("att_0", "10.00", "1.20", "8.80", "yes"), ("att_1", "10.00", "1.20", "8.80", "yes"),
    ]  # fmt: skip


def test_a_refused_transfer_says_why_and_that_it_is_tried_again(browser, cashier, deal, monkeypatch):
    cashier.onboarded()
    matured(deal)
    refuse = GatewayDeclined("the balance is too low", reason="balance_insufficient")
    monkeypatch.setattr(SandboxGateway, "create_transfer", lambda *_, **__: (_ for _ in ()).throw(refuse))
    [payout] = cashier.pay_out()

    assert "The processor refused a payout; it is sent again tomorrow." in text_of(browser.get(HERE))
    page = text_of(browser.get(f"{HERE}{payout.public_id}/"))
    assert "The processor refused it: balance_insufficient. It is sent again." in page


def test_another_providers_payout_is_not_there(browser, cashier):
    other = deal_of()
    cashier.provider = other.provider
    cashier.onboarded()
    matured(other)
    [payout] = cashier.pay_out()

    assert browser.get(f"{HERE}{payout.public_id}/").status_code == 404
    assert browser.get(f"{HERE}{payout.public_id}/lines.csv").status_code == 404
    assert Payout.objects.count() == 1


def test_the_same_page_speaks_chinese(browser):
    browser.cookies["django_language"] = "zh-hans"

    assert "下一次付款" in text_of(browser.get(HERE))
