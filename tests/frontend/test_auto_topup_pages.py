"""Automatic top-ups on the wallet: switched on, shown, refused at their field, stopped by a card."""

import pytest

from accounts.models import Role
from marketplace.ledger.gateways.base import GatewayDeclined
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.models import AutoTopup
from marketplace.ledger.tasks import top_up_automatically
from tests.frontend.stage import signed_in, text_of, value_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(cashier):
    return signed_in(cashier.buyer, Role.BUYER)


def automatic(browser, **changes):
    terms = {"threshold": "20.00", "amount": "15.00", "daily_cap": "40.00"} | changes
    return browser.post("/wallet/", {"do": "auto", **terms}, follow=True)


def test_without_a_saved_card_the_page_says_how_to_get_there(browser):
    page = browser.get("/wallet/")

    assert "top up once with the card saved" in text_of(page)
    assert 'name="threshold"' not in page.content.decode()


def test_automatic_topups_are_switched_on_shown_and_switched_off(browser, cashier):
    cashier.topped_up(1_000, save=True)

    said = text_of(automatic(browser))
    again = browser.get("/wallet/").content.decode()
    row = AutoTopup.objects.get()
    assert (row.on, row.threshold, row.amount, row.daily_cap) == (True, 2_000, 1_500, 4_000)
    off = text_of(browser.post("/wallet/auto/off/", follow=True))

    assert "Automatic top-ups are on: $15.00 when less than $20.00 is left." in said
    assert value_of(again, "threshold") == "20.00"
    assert "Automatic top-ups are off; the card is not charged any more." in off
    assert not AutoTopup.objects.get().on


@pytest.mark.parametrize(("changes", "says"), [
    ({"amount": "4.99"}, "A top-up is from $5.00 to $10,000.00."), ({"threshold": "soon"}, "Write an amount such as"),
    ({"daily_cap": "14.99"}, "It must be at least $15.00: one top-up, and what was charged today."),
])  # fmt: skip
def test_terms_that_cannot_be_kept_are_refused_at_their_field(browser, cashier, changes, says):
    cashier.topped_up(1_000, save=True)

    answer = automatic(browser, **changes)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert not AutoTopup.objects.exists()


def test_a_refused_card_is_told_on_the_wallet_before_and_after_it_was_switched_off(browser, cashier, monkeypatch):
    cashier.topped_up(1_000, save=True)
    automatic(browser)
    refuse = GatewayDeclined("no", reason="card_declined")
    monkeypatch.setattr(SandboxGateway, "charge_saved", lambda *_, **__: (_ for _ in ()).throw(refuse))
    top_up_automatically()
    at_once = text_of(browser.get("/wallet/"))
    top_up_automatically()
    later = text_of(browser.get("/wallet/"))

    for text in (at_once, later):
        assert "Automatic top-ups have stopped. The card was declined." in text
        assert "Switch it on" in text


def test_an_automatic_topup_stands_in_the_list_as_one(browser, cashier):
    cashier.topped_up(1_000, save=True)
    automatic(browser)
    top_up_automatically()
    cashier.hear()

    assert "Paid in by the saved card +$15.00" in text_of(browser.get("/wallet/"))
